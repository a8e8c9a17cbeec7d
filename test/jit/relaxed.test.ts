import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { Instance, type InstanceOptions } from '../../src/engine/instance.ts';
import type { MapDump } from '../../src/engine/map-dump.ts';
import { readObject } from '../../src/engine/read-object.ts';
import { Replay } from '../../src/replay/replay.ts';
import { replayShared } from '../../src/replay/workers/run.ts';
import { sharingOf } from '../../src/replay/workers/sharing.ts';

const path = new URL('./relaxed.bpf.o', import.meta.url).pathname;
const object = readObject(readFileSync(path));
const ENGINES = ['interpreter', 'jit'] as const;
const PACKETS = 20_000;
const SEED = 4;

/** UDP over IPv4 from 500 sources and 8 ports each, every packet in a frame of another length. */
const capture = (() => {
  const random = seededRandom(SEED);
  const parts = [Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex')];
  for (let index = 0; index < PACKETS; index++) {
    const frame = Buffer.alloc(60 + random.below(40));
    Buffer.from('0200000000010200000000020800450000320001000040110000', 'hex').copy(frame);
    frame.writeUInt32BE(0x0a00_0000 + random.below(500), 26);
    frame.writeUInt32BE(0xc633_6401, 30);
    frame.writeUInt16BE(1000 + random.below(8), 34);
    const record = Buffer.alloc(16);
    record.writeUInt32LE(index >>> 10, 0);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
  }
  const file = join(mkdtempSync(join(tmpdir(), 'bpfreplay-relaxed-')), 'flows.pcap');
  writeFileSync(file, Buffer.concat(parts));
  return file;
})();

const settings = (program: string, engine: Engine): InstanceOptions => ({ program, engine, cpus: 4 });

async function together(program: string, engine: Engine) {
  const options = settings(program, engine);
  const instance = new Instance(object, { ...options, seat: { number: 0, seats: 2 } });
  const sharing = sharingOf(instance, 2, true);
  expect(sharing).toEqual({ workers: 2, by: 'flow', relaxed: true, because: null });
  const shared = await replayShared(instance, { object: path, capture, options }, sharing);
  return { instance, ...shared! };
}

function alone(program: string, engine: Engine) {
  const instance = new Instance(object, settings(program, engine));
  const replay = new Replay(instance);
  replay.push(readFileSync(capture));
  return { tally: replay.end(), maps: instance.dumpMaps() };
}

/** Contents, whatever the order in which entries came. */
const contents = (maps: readonly MapDump[], names: readonly string[]) =>
  names.map((name) => {
    const { entries } = maps.find(({ map }) => map === name)!;
    expect(entries.length).toBeGreaterThan(0);
    return entries.map(({ key, value }) => `${name} ${key} ${value}`).toSorted();
  });

const ROUNDS = { interpreter: 1, jit: 5 };

describe.each(ENGINES)(`%s: two workers share maps (seed ${SEED})`, (engine) => {
  it.each([
    ['counters by atomic operations are exact', 'counted', ['totals', 'words', 'sources']],
    ['so are those under a lock', 'locked', ['guarded']],
  ])('%s', async (_what, program, names) => {
    const one = alone(program, engine);
    for (let round = 0; round < ROUNDS[engine]; round++) {
      const two = await together(program, engine);
      // Who meets another in a loop of compare and exchange takes more instructions.
      expect({ ...two.tally, instructions: 0 }).toEqual({ ...one.tally, instructions: 0 });
      expect(contents(two.maps, names)).toEqual(contents(one.maps, names));
    }
  });

  it('entries that belong to one flow are those of one worker', async () => {
    const one = alone('per_flow', engine);
    const two = await together('per_flow', engine);
    expect(two.tally.verdicts).toEqual(one.tally.verdicts);
    const names = ['flows', 'cpu_flows', 'lru_flows', 'prefixes', 'stack', 'queue'];
    expect(contents(two.maps, names)).toEqual(contents(one.maps, names));
  });

  it('tables hold together while entries come and go', async () => {
    const { instance, maps } = await together('churn', engine);
    const total = (index: number) => {
      const { value } = maps.find(({ map }) => map === 'totals')!.entries[index]!;
      return Number(Buffer.from(value as string, 'hex').readBigUInt64LE());
    };
    const [made, deleted] = [total(0), total(1)];
    expect(deleted).toBeGreaterThan(0);
    for (const name of ['busy', 'busy_lru', 'prefixes']) {
      const map = instance.maps.find(({ spec }) => spec.name === name)!;
      const entries = [...map.entries()];
      if (name === 'busy') expect(entries.length).toBe(made - deleted);
      expect(new Set(entries.map(({ key }) => key.toHex())).size).toBe(entries.length);
      for (const { key } of entries) expect(map.userLookup(key)).toBeDefined();
      for (const { key } of entries) expect(map.userDelete(key)).toBe(0);
      expect([...map.entries()]).toEqual([]);
      // As many can be made as ever: no slot was lost.
      const fresh = name === 'busy' ? map.spec.maxEntries : 0;
      for (let key = 0; key < fresh; key++) {
        expect(map.userUpdate(new Uint8Array(Uint32Array.of(key).buffer), new Uint8Array(8), 0n)).toBe(0);
      }
    }
  });
});

describe('who cannot share runs alone', () => {
  const sharing = (name: string, options: InstanceOptions) => {
    const file = new URL(`../../programs/${name}.bpf.o`, import.meta.url);
    return sharingOf(new Instance(readObject(readFileSync(file)), options), 2, true);
  };

  it.each<[string, InstanceOptions, RegExp]>([
    ['flowstats', { program: 'flowstats', cpus: 2 }, /^map \w+ is a ringbuf, which no two can share$/],
    ['synflood', {}, /and there is one: --cpus makes more$/],
  ])('%s', (name, options, because) => {
    expect(sharing(name, options)).toEqual({
      workers: 1,
      by: null,
      relaxed: false,
      because: expect.stringMatching(because),
    });
  });

  it('and who need not is spread as always', () => {
    expect(sharing('vlan', { program: 'xdp_vlan', cpus: 2 })).toMatchObject({ by: 'records', relaxed: false });
  });
});
