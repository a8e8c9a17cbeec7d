import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Instance } from '../engine/instance.ts';
import { Pipeline } from '../engine/pipeline.ts';
import { readObject } from '../engine/read-object.ts';
import { Replay } from './replay.ts';
import { StreamRun } from './stream-run.ts';
import { MOST_NAMES, sumTallies } from './stream-tally.ts';
import { emptyTally } from './tally.ts';
import { Windows } from './windows.ts';

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url));
const PROGRAM = readObject(file('programs/flowstats.bpf.o'));
const BLOCKLIST = readObject(file('programs/blocklist.bpf.o'));
const VLAN = readObject(file('programs/vlan.bpf.o'));
const VLAN_CAPTURE = file('pcaps/vlan.pcap');
const CAPTURES = ['pcaps/dns.pcap', 'pcaps/two-sections.pcapng', 'pcaps/http.pcap'].map(file);
const newInstance = () => new Instance(PROGRAM, { program: 'flowstats' });

function replayed(captures: readonly Uint8Array[]) {
  const instance = newInstance();
  const tallies = captures.map((bytes) => {
    const replay = new Replay(instance);
    replay.push(bytes);
    const { captureError: _, ...tally } = replay.end();
    return tally;
  });
  return { tallies, maps: instance.dumpMaps() };
}

describe('a stream', () => {
  it('of captures in chunks of any size tallies what replays of them do, and keeps the maps', () => {
    const { tallies, maps } = replayed(CAPTURES);
    const [first, second, third] = tallies;
    const frames = first!.packets + second!.packets;
    const expected = sumTallies(sumTallies(first!, first!.packets, second!), frames, third!);
    fc.assert(
      fc.property(fc.integer({ min: 7, max: 5000 }), fc.constantFrom('wall', 'capture'), (size, clock) => {
        const instance = newInstance();
        const stream = new StreamRun(instance, { seconds: 1, clock }, () => 0);
        const windows = new Windows();
        const look = () => {
          const state = stream.takeState();
          for (const window of state.windows) windows.add(window);
          return state;
        };
        for (const bytes of CAPTURES) {
          for (let at = 0; at < bytes.length; at += size) {
            expect(stream.push(bytes.subarray(at, at + size))).toBe(true);
            if (at % 97 === 0) look();
          }
          expect(stream.end().fault).toBeNull();
        }
        const { tally, frames } = look();
        expect(tally).toEqual(expected);
        expect(frames).toBe(expected.packets);
        expect(instance.dumpMaps()).toEqual(maps);
        const sums = windows.list().reduce((sum, { packets, bytes }) => [sum[0]! + packets, sum[1]! + bytes], [0, 0]);
        expect(sums).toEqual([expected.packets, expected.bytes]);
      }),
      { numRuns: 6 },
    );
  });

  it('of a pipeline tells what each program did, over all captures and by window', () => {
    const both = [{ object: BLOCKLIST }, { object: VLAN, program: 'tc_vlan' }];
    const once = new Replay(new Pipeline(both));
    once.push(VLAN_CAPTURE);
    const { captureError: _, ...expected } = once.end();
    const stream = new StreamRun(new Pipeline(both), { seconds: 1, clock: 'wall' }, () => 0);
    expect(stream.takeState().tally.stages).toMatchObject([{ packets: 0 }, { packets: 0 }]);
    const windows = new Windows();
    for (const _ of [1, 2]) {
      for (const piece of [VLAN_CAPTURE.subarray(0, 3000), VLAN_CAPTURE.subarray(3000)]) {
        stream.push(piece);
        for (const window of stream.takeState().windows) windows.add(window);
      }
      stream.end();
    }
    const { tally } = stream.takeState();
    expect(tally).toEqual(sumTallies(expected, expected.packets, expected));
    expect(tally.stages).toMatchObject([
      { program: 'blocklist', packets: 2 * expected.packets },
      { program: 'tc_vlan', verdicts: { TC_ACT_OK: 2 * expected.packets } },
    ]);
    expect(windows.list()).toMatchObject([{ verdicts: tally.verdicts, stages: tally.stages }]);
  });

  it('makes no memory and compiles nothing for a capture like one before', () => {
    const stream = new StreamRun(newInstance(), { seconds: 1, clock: 'capture' });
    const through = () => {
      stream.push(CAPTURES[2]!);
      stream.end();
    };
    through();
    const makers = (['Memory', 'Module', 'Instance'] as const).map((name) => vi.spyOn(WebAssembly, name));
    for (let capture = 0; capture < 3; capture++) through();
    expect(makers.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0]);
    vi.restoreAllMocks();
    expect(stream.takeState().tally.packets).toBe(4 * 220);
  });

  it('ends a capture that is damaged or cut, keeps what came before, and reads the next one', () => {
    const stream = new StreamRun(newInstance(), { seconds: 1, clock: 'wall' });
    expect(stream.push(CAPTURES[0]!.subarray(0, 5000))).toBe(true);
    expect(stream.end()).toMatchObject({ frames: 44, fault: { code: 'truncated' } });
    expect(stream.push(new TextEncoder().encode('GET / HTTP/1.1'))).toBe(false);
    expect(stream.push(CAPTURES[1]!)).toBe(false);
    expect(stream.end()).toMatchObject({ frames: 0, fault: { code: 'unknown-format', offset: 0 } });
    expect(stream.end()).toMatchObject({ frames: 0, fault: { code: 'empty' } });
    expect(stream.push(CAPTURES[1]!)).toBe(true);
    expect(stream.end()).toEqual({ frames: 56, fault: null });
    expect(stream.takeState().tally.packets).toBe(100);
  });

  it('puts packets into the window of wall time in which they ran, and into none twice', () => {
    let now = 10_900;
    const stream = new StreamRun(newInstance(), { seconds: 2, clock: 'wall' }, () => now);
    stream.push(CAPTURES[0]!.subarray(0, 5000));
    now = 12_100;
    stream.push(CAPTURES[0]!.subarray(5000));
    expect(stream.takeState().windows).toMatchObject([
      { index: 5, packets: 44 },
      { index: 6, packets: 24 },
    ]);
    expect(stream.takeState().windows).toEqual([]);
    stream.end();
    now = 100_000;
    stream.push(CAPTURES[2]!);
    expect(stream.takeState().windows).toMatchObject([
      { index: 50, packets: 220, verdicts: { XDP_PASS: { packets: 220 } } },
    ]);
  });

  it('puts packets into the window of capture time in which they were captured', () => {
    const stream = new StreamRun(newInstance(), { seconds: 1, clock: 'capture' });
    const expected = new Map<number, number>();
    const replay = new Replay(newInstance(), {
      packet: ({ seconds }) => void expected.set(seconds, (expected.get(seconds) ?? 0) + 1),
    });
    const mixed = file('pcaps/mixed.pcap');
    replay.push(mixed);
    stream.push(mixed);
    const windows = stream.takeState().windows.map(({ index, packets }) => [index, packets]);
    expect(windows).toEqual([...expected].sort(([a], [b]) => a - b));
    expect(windows.length).toBeGreaterThan(1);
  });

  it('numbers the packets of a capture behind those of the captures before', () => {
    const none = emptyTally('p', 'xdp');
    const failed = (firstPacket: number) => ({ ...none, errors: { e: { packets: 1, firstPacket, message: 'm' } } });
    expect(sumTallies(none, 5, failed(2)).errors).toEqual({ e: { packets: 1, firstPacket: 7, message: 'm' } });
    expect(sumTallies(failed(2), 5, failed(0)).errors).toEqual({ e: { packets: 2, firstPacket: 2, message: 'm' } });
  });
});

describe('tables', () => {
  it('of a tally stay bounded, whatever a program answers', () => {
    let sum = emptyTally('p', 'xdp');
    for (let i = 0; i < 2 * MOST_NAMES; i++) {
      const one = { ...emptyTally('p', 'xdp'), packets: 1, verdicts: { [String(i)]: { packets: 1, bytes: 2 } } };
      sum = { ...sum, ...sumTallies(sum, i, one) };
    }
    expect(Object.keys(sum.verdicts)).toHaveLength(MOST_NAMES + 1);
    expect(sum.verdicts.other).toEqual({ packets: MOST_NAMES, bytes: 2 * MOST_NAMES });
    expect(sum.packets).toBe(2 * MOST_NAMES);
  });

  it('of windows keep the newest', () => {
    const windows = new Windows();
    for (const index of [5, 3, 9, 1, 9]) windows.add({ index, packets: 1, bytes: 1, verdicts: {} });
    windows.keep(2);
    expect(windows.list()).toMatchObject([
      { index: 5, packets: 1 },
      { index: 9, packets: 2 },
    ]);
  });
});
