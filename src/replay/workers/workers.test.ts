import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LoadError, OptionError } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { Instance } from '../../engine/instance.ts';
import type { MapInit } from '../../engine/map-init.ts';
import { assembleObject, readObject } from '../../engine/read-object.ts';
import { Replay } from '../replay.ts';
import { Crew } from './crew.ts';
import { mergedParts, type PartTally } from './merge.ts';
import { Part } from './part.ts';
import { byRecords, replayShared } from './run.ts';
import { Table } from './shares.ts';
import { sharingOf } from './sharing.ts';

const root = new URL('../../../', import.meta.url);
const pcap = (name: string) => new URL(`pcaps/${name}`, root).pathname;
const objectAt = (name: string) => readObject(readFileSync(new URL(`programs/${name}.bpf.o`, root)));
const scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-workers-'));

/** Runs out of its budget on every packet of an even length: its run ends in an error. */
const ENDLESS_ON_EVEN = assembleObject(
  'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr3 -= r2\nr3 &= 1\nagain: if r3 == 0 goto again\nr0 = 2\nexit',
  { type: 'xdp', license: 'GPL' },
);
const SUBJECTS = {
  xdp_vlan: () => new Instance(objectAt('vlan'), { program: 'xdp_vlan', engine: 'jit' }),
  xdp_spread: () => new Instance(objectAt('redirect'), { program: 'xdp_spread', engine: 'jit', cpus: 4 }),
  'tc_vlan, interpreted': () => new Instance(objectAt('vlan'), { program: 'tc_vlan', engine: 'interpreter' }),
  'errors at odd places': () => new Instance(ENDLESS_ON_EVEN, { verify: false, budget: 100, engine: 'jit' }),
};

function alone(instance: Instance, capture: string) {
  const replay = new Replay(instance);
  replay.push(readFileSync(capture));
  return replay.end();
}

/** Shares go to the parts in the order of the seed. */
function inParts(make: () => Instance, capture: string, shareBytes: number, seed: number): PartTally[] {
  const random = seededRandom(seed);
  const table = Table.lay(statSync(capture).size, 3, shareBytes);
  const parts = [0, 1, 2].map(() => new Part(make(), capture, table));
  while (parts[random.below(3)]!.take());
  return parts.map((part) => part.end());
}

describe.each(Object.entries(SUBJECTS))('%s: the tally of parts is that of the whole', (_name, make) => {
  it.each(['mixed.pcap', 'http.pcap', 'big-endian-ns.pcap', 'big-endian.pcapng', 'two-interfaces.pcapng', 'cooked-v1.pcap', 'syn-flood.pcap'])('%s', (name) => {
    const whole = alone(make(), pcap(name));
    for (const [seed, shareBytes] of [100, 777, 5000].entries()) {
      const parts = inParts(make, pcap(name), shareBytes, seed);
      expect(mergedParts(parts), `shares of ${shareBytes} bytes`).toEqual(whole);
    }
  }); // biome-ignore format: a table
});

describe('threads', () => {
  const object = new URL('programs/vlan.bpf.o', root).pathname;
  const options = { program: 'xdp_vlan', engine: 'jit' } as const;
  const replay = async (capture: string, workers: number, shareBytes?: number) => {
    const crew = new Crew(workers - 1);
    const tally = await byRecords(SUBJECTS.xdp_vlan(), { object, capture, options }, crew, shareBytes);
    await crew.dismiss();
    return tally;
  };
  /** A capture that takes long enough for the others to join. */
  const long = join(scratch, 'long.pcap');
  const bytes = readFileSync(pcap('http.pcap'));
  const times = Math.ceil((64 * 2 ** 20) / bytes.length);
  writeFileSync(
    long,
    Buffer.concat([bytes.subarray(0, 24), ...Array.from({ length: times }, () => bytes.subarray(24))]),
  );

  it('give the same tally, one as three', async () => {
    const whole = alone(SUBJECTS.xdp_vlan(), long);
    for (const workers of [1, 3]) expect(await replay(long, workers)).toEqual(whole);
  });

  it.each<[string, () => Uint8Array]>([
    ['cut in its last record', () => bytes.subarray(0, -5)],
    ['cut in a header', () => Buffer.concat([bytes, new Uint8Array(7)])],
    ['with a record of 4 GiB', () => Buffer.concat([bytes, new Uint8Array(16).fill(0xff), bytes.subarray(24)])],
    ['of two sections', () => readFileSync(pcap('two-sections.pcapng'))],
    ['with an interface among its packets', () => interfaceAmong(readFileSync(pcap('two-interfaces.pcapng')))],
    ['of packets that hold captures', () => nested(bytes)],
    ['that is none', () => new Uint8Array(100)],
    ['that is empty', () => new Uint8Array(0)],
  ])('leave a capture %s to one', async (_what, make) => {
    const capture = join(scratch, 'odd');
    writeFileSync(capture, make());
    expect(await replay(capture, 2, 1000)).toBeUndefined();
  });
});

/** Its first interface is described once more, behind the first packet. */
function interfaceAmong(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += blocks.at(-1)!.length) {
    blocks.push(bytes.subarray(at, at + bytes.readUInt32LE(at + 4)));
  }
  const described = blocks.find((block) => block.readUInt32LE() === 1)!;
  const first = blocks.findIndex((block) => block.readUInt32LE() === 6);
  return Buffer.concat(blocks.toSpliced(first + 1, 0, described));
}

/** Records that begin in the midst of packets: packets of 4,000 bytes, which are a capture's. */
function nested(bytes: Buffer): Buffer {
  const inner = bytes.subarray(24, 24 + 4000);
  const header = Buffer.from(bytes.subarray(24, 40));
  header.writeUInt32LE(inner.length, 8);
  header.writeUInt32LE(inner.length, 12);
  return Buffer.concat([bytes.subarray(0, 24), ...Array.from({ length: 20 }, () => [header, inner]).flat()]);
}

describe('what a thread fails with', () => {
  const capture = pcap('http.pcap');
  const failing = (object: string) => {
    const instance = new Instance(objectAt('blocklist'), { cpus: 2 });
    return replayShared(
      instance,
      { object, capture, options: { cpus: 2 } },
      { workers: 2, by: 'flow', relaxed: false },
    );
  };

  it('is the error that it was', async () => {
    await expect(failing(capture)).rejects.toThrow(LoadError);
    await expect(failing(capture)).rejects.toMatchObject({ detail: { stage: expect.any(String) } });
    const gone = join(scratch, 'gone.o');
    await expect(failing(gone)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'stat', path: gone });
    const several = new URL('programs/vlan.bpf.o', root).pathname;
    await expect(failing(several)).rejects.toThrow(OptionError);
  });
});

describe('by flow: tally and maps are those of one', () => {
  const object = new URL('programs/blocklist.bpf.o', root).pathname;
  const mapInit = JSON.parse(readFileSync(new URL('programs/blocklist.maps.json', root), 'utf8')) as MapInit;
  it.each(['interpreter', 'jit'] as const)('%s', async (engine) => {
    for (const name of ['mixed.pcap', 'two-interfaces.pcapng', 'cooked-v1.pcap', 'snaplen-cut.pcap']) {
      const options = { engine, cpus: 3, mapInit };
      const make = () => new Instance(objectAt('blocklist'), options);
      const instance = make();
      const tally = alone(instance, pcap(name));
      const shared = await replayShared(
        make(),
        { object, capture: pcap(name), options },
        { workers: 2, by: 'flow', relaxed: false },
      );
      expect(shared).toEqual({ tally, maps: instance.dumpMaps() });
    }
  });
});

describe('who keeps state runs on one worker', () => {
  it.each([
    ['vlan', 'xdp_vlan', { workers: 2, by: 'records', relaxed: false, because: null }],
    ['ratelimit', 'ratelimit', { workers: 1, by: null, relaxed: false, because: expect.stringMatching(/^bpf_ktime_get_ns \(instruction \d+ of ratelimit\)/) }],
    ['lb', 'lb', { workers: 1, by: null, relaxed: false, because: expect.stringMatching(/^map .bss .* carries state from packet to packet/) }],
  ])('%s %s', (object, program, sharing) => {
    expect(sharingOf(new Instance(objectAt(object), { program }), 2)).toEqual(sharing);
  }); // biome-ignore format: a table

  it('who keeps state for each CPU is spread by flow, where there are CPUs', () => {
    const sharing = (cpus: number) => sharingOf(new Instance(objectAt('blocklist'), { cpus }), 2);
    expect(sharing(1)).toEqual({
      workers: 1,
      by: null,
      relaxed: false,
      because: expect.stringMatching(/^map rule_hits .*--cpus/),
    });
    expect(sharing(4)).toEqual({ workers: 2, by: 'flow', relaxed: false, because: null });
    expect(sharingOf(new Instance(objectAt('blocklist'), { cpus: 2 }), 3)).toMatchObject({ workers: 2, by: 'flow' });
  });

  it('and who was not verified', () => {
    const { because } = sharingOf(new Instance(ENDLESS_ON_EVEN, { verify: false }), 2);
    expect(because).toMatch(/not verified/);
  });
});
