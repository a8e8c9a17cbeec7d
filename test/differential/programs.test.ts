/**
 * Every example program over every capture: return values, bytes, maps and events equal Linux's. What is not compared,
 * and why:
 *
 * - `ratelimit` and `sampler` as they are: their answers are the clock's, the random generator's and the CPU number's.
 *   They are compared with those answers fixed on both sides (`ratelimit-at-rest`, `sampler-…`), and held below to
 *   what they must do at capture speed.
 * - The eviction order of LRU maps: Linux evicts by lists of each CPU. No capture fills the maps of `synflood`, which
 *   is checked, so that here their whole contents are compared.
 * - `.kconfig`: the configuration of whichever kernel runs. Bloom filters and XSKMAPs: Linux does not let them be read;
 *   what programs find in them is compared by what they then do.
 * - Frames that test-run does not take (an skb's test-run ends at 3712 bytes): named in the golden answers, `!EINVAL`.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { frameTime } from '../../src/capture/frame.ts';
import { Instance, type InstanceOptions } from '../../src/engine/instance.ts';
import { loadObject } from '../../src/object/object.ts';
import { runReplay } from '../../src/replay/job.ts';
import { packetRecord } from '../../src/replay/records.ts';
import { Replay } from '../../src/replay/replay.ts';
import { askReplay, differenceFromKernel, firstDifference, packetText, takenBy } from './answers.ts';
import { differencesFromGolden, goldenAnswer } from './golden.ts';
import { askRun, kernelAvailable } from './oracle.ts';
import { allCaptures, capturePath, exampleNames, examples, inOneRow, mutated, objectPath } from './subjects.ts';

const SEED = 6;
const available = kernelAvailable();
const why = available === true ? '' : ` (${available})`;
const captures = allCaptures();
const subjects = examples();
const cases = subjects.flatMap((subject) =>
  subject.programs.map((program) => ({ name: subject.name, program, subject })),
);
const capture = (name: string) => captures.find((one) => one.name === name)!;

describe('every example program over every capture', () => {
  it('is among those compared', () => {
    const plain = exampleNames().filter((name) => name !== 'ratelimit' && name !== 'sampler');
    const compared = subjects.map(({ name }) => name);
    expect(compared.sort()).toEqual(
      [...plain, 'ratelimit-at-rest', 'sampler-every-packet', 'sampler-no-packet'].sort(),
    );
  });

  it.each(cases)('$name $program: as Linux answered when it was recorded', ({ subject, program }) => {
    expect(differencesFromGolden(subject, program, captures)).toEqual([]);
  });

  it.skipIf(available !== true).each(cases)(
    `$name $program: as the kernel here answers, also about mutated frames (seed ${SEED})${why}`,
    ({ subject, program }) => {
      const frames = inOneRow(captures);
      expect(differenceFromKernel(subject, program, [...frames, ...mutated(frames, SEED)])).toBeUndefined();
    },
  );

  it('no capture fills the LRU maps, whose eviction order is Linux’s own', () => {
    const object = subjects.find(({ name }) => name === 'synflood')!;
    const instance = new Instance(object.object);
    for (const frame of inOneRow(captures)) instance.runPacket(frame);
    const sizes = instance.maps
      .filter(({ type }) => type.name.startsWith('lru_'))
      .map((map) => ({ entries: [...map.entries()].length, most: map.spec.maxEntries }));
    expect(sizes.length).toBe(2);
    for (const { entries, most } of sizes) {
      expect(entries).toBeGreaterThan(0);
      expect(entries).toBeLessThan(most / 2);
    }
  });
});

describe('what a replay records of each packet', () => {
  it.each([
    { name: 'vlan', program: 'xdp_vlan' },
    { name: 'nat', program: 'nat64_4to6' },
    { name: 'cgroup', program: 'egress' },
  ])('$name $program: is Linux’s answer, from the capture’s own bytes on', ({ name, program }) => {
    const subject = subjects.find((one) => one.name === name)!;
    for (const file of ['cooked-v1.pcap', 'raw-ip.pcap', 'big-endian-ns.pcap', 'two-interfaces.pcapng', 'mixed.pcap']) {
      const golden = goldenAnswer(subject, program, capture(file)).packets;
      const { frames } = capture(file);
      const instance = new Instance(subject.object, { program, mapInit: subject.mapInit });
      const told: string[] = [];
      const replay = new Replay(instance, {
        packet(frame, result) {
          const { retval, out_len, out_fnv1a64 } = packetRecord(frame, result, instance);
          const text = packetText(retval, out_len, out_fnv1a64, frames[told.length]!, instance.programType.layer);
          told.push(golden[told.length]!.startsWith('!') ? golden[told.length]! : text);
        },
      });
      replay.push(readFileSync(capturePath(file)));
      replay.end();
      expect(told, file).toEqual(golden);
    }
  });
});

describe('a difference', () => {
  const subject = subjects.find(({ name }) => name === 'blocklist')!;
  const http = capture('http.pcap');
  const golden = goldenAnswer(subject, 'blocklist', http);
  const replay = askReplay(subject, 'blocklist', http.frames, takenBy(golden));

  it('names the first packet that went another way', () => {
    expect(firstDifference(golden, replay)).toBeUndefined();
    const packets = replay.packets.with(7, '3');
    expect(firstDifference(golden, { ...replay, packets })).toBe(
      `packet 7: the kernel ${golden.packets[7]}, the replay 3`,
    );
  });

  it('names the map and what it holds', () => {
    const [entry, ...others] = replay.maps.rule_hits!;
    const maps = { ...replay.maps, rule_hits: others };
    expect(firstDifference(golden, { ...replay, maps })).toBe(
      `map rule_hits, entry 0: the kernel ${entry}, the replay ${others[0]}`,
    );
  });
});

describe('programs that read the clock and the random generator', () => {
  // The program's constants: a packet costs 10 ms of credit, eight packets of credit fit into a bucket.
  const COST = 10_000_000n;
  const FULL = 8n * COST;

  /** Who sent it, for packets that the limiter limits. */
  function sourceOf({ bytes }: { bytes: Uint8Array }): string | undefined {
    const etherType = (bytes[12]! << 8) | bytes[13]!;
    if (etherType === 0x0800) return bytes.subarray(26, 30).toHex();
    return etherType === 0x86dd ? bytes.subarray(22, 38).toHex() : undefined;
  }

  it.each(['http.pcap', 'icmp.pcap', 'syn-flood.pcap', 'tls.pcap'])(
    'ratelimit: buckets fill and empty at the speed of %s',
    (name) => {
      const instance = new Instance(loadObject(readFileSync(objectPath('ratelimit'))));
      const buckets = new Map<string, { credit: bigint; at: bigint }>();
      const { frames } = capture(name);
      const told = frames.map((frame) => instance.runPacket(frame).verdict);
      let now = 0n;
      const expected = frames.map((frame) => {
        const time = frameTime(frame);
        if (time > now) now = time; // the monotonic clock never goes back
        const source = sourceOf(frame);
        if (source === undefined) return 'XDP_PASS';
        const bucket = buckets.get(source) ?? { credit: FULL, at: now };
        const credit = bucket.credit + now - bucket.at;
        const full = credit > FULL ? FULL : credit;
        const passes = full >= COST;
        buckets.set(source, { credit: passes ? full - COST : full, at: now });
        return passes ? 'XDP_PASS' : 'XDP_DROP';
      });
      expect(told).toEqual(expected);
      if (name !== 'icmp.pcap') expect(new Set(told)).toEqual(new Set(['XDP_PASS', 'XDP_DROP']));
    },
  );

  /** A sampled runt leaves no record. */
  const sampled = capture('http.pcap').frames.filter(({ bytes }) => bytes.length >= 60);

  it('sampler: a quarter of the packets by chance, each with its own capture time', () => {
    const instance = new Instance(loadObject(readFileSync(objectPath('sampler'))), { seed: 6 });
    const start = frameTime(sampled[0]!);
    let taken = 0;
    for (const frame of sampled) {
      instance.runPacket(frame);
      for (const { bytes } of instance.events.splice(0)) {
        const record = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        const [monotonic, boot, coarse, tai] = [0, 8, 16, 24].map((at) => record.getBigUint64(at, true));
        // The machine was booted a second before the first packet; TAI is 37 seconds ahead of UTC.
        const elapsed = frameTime(frame) - start + 1_000_000_000n;
        expect([monotonic, boot, coarse]).toEqual([elapsed, elapsed, elapsed]);
        expect(tai).toBe(frameTime(frame) + 37_000_000_000n);
        expect([record.getUint32(40, true), record.getUint32(44, true)]).toEqual([0, frame.bytes.length]);
        taken++;
      }
    }
    const { length } = sampled;
    // Chances of one in four: fewer than one seed in a million is further away than five standard deviations.
    expect(Math.abs(taken - length / 4)).toBeLessThan(5 * Math.sqrt((length * 3) / 16));
    const decisions = instance.dumpMaps().find(({ map }) => map === 'decisions')!;
    const counts = decisions.entries.map(({ value }) => Buffer.from(value[0]!, 'hex').readUInt32LE());
    expect(counts).toEqual([length - taken, taken]);
  });

  it.skipIf(available !== true)('sampler: each record of the kernel has its packet’s length, too', () => {
    const question = { object: objectPath('sampler'), program: 'sampler', maps: true };
    const { packets, maps } = askRun({ ...question, frames: sampled.map(({ bytes }) => bytes) });
    expect(packets.map((packet) => packet.error ?? packet.retval)).toEqual(sampled.map(() => 2));
    const samples = maps.find(({ map }) => map === 'samples')!.entries;
    expect(samples.length).toBeGreaterThan(0);
    for (const { packet, value } of samples) {
      expect(Buffer.from(value as string, 'hex').readUInt32LE(44)).toBe(sampled[packet!]!.bytes.length);
    }
  });
});

describe('two runs', () => {
  /** All that a run gives: a line for each packet, the packets as they left, the tally and the maps. */
  function everything(name: string, options: InstanceOptions): string[] {
    const folder = mkdtempSync(join(tmpdir(), 'two-runs-'));
    try {
      const packetsFile = join(folder, 'packets.ndjson');
      const writeFile = join(folder, 'out.pcapng');
      const request = { object: objectPath(name), capture: capturePath('mixed.pcap'), options, maps: true };
      const result = runReplay({ ...request, packetsFile, writeFile });
      return [readFileSync(packetsFile, 'utf8'), readFileSync(writeFile).toHex(), JSON.stringify(result)];
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it.each([
    { name: 'sampler', options: { seed: 3 } },
    { name: 'sampler', options: { seed: 3, cpus: 4 } },
    { name: 'ratelimit', options: {} },
    { name: 'flowstats', options: { program: 'flowstats', cpus: 3 } },
    { name: 'mapkinds', options: { program: 'text' } },
    { name: 'synflood', options: { seed: 1 } },
  ])('give the same bytes: $name $options', ({ name, options }) => {
    const once = everything(name, options);
    expect(everything(name, options)).toEqual(once);
    expect(once[0]!.split('\n').length).toBe(capture('mixed.pcap').frames.length + 1);
  });

  it('differ with the seed where a program reads the random generator, and nowhere else', () => {
    const withSeed = (name: string, seed: number) => everything(name, { seed });
    expect(withSeed('sampler', 4)[2]).not.toBe(withSeed('sampler', 3)[2]);
    expect(withSeed('synflood', 4)).toEqual(withSeed('synflood', 3));
  });
});
