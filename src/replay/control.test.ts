import { describe, expect, it } from 'vitest';
import { mapTypeId } from '../abi/map-types.ts';
import { createPcapWriter } from '../capture/pcap-writer.ts';
import type { MapEdit } from '../engine/map-desk.ts';
import { instanceOf, mapSpecOf } from '../engine/testing.ts';
import { ReplayControl, type TimedEdit } from './control.ts';
import { Replay, type ReplayOptions } from './replay.ts';
import type { StopConditions } from './stop.ts';

/** The verdict is what the first element of the array says. */
const OBEYS = `
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[orders] ll
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r0 = *(u64 *)(r0 + 0)
  out: exit
`;
const obedient = () => instanceOf(OBEYS, { maps: [mapSpecOf({ name: 'orders', type: mapTypeId('array') })] });

/** So many frames of 64 bytes, half a second apart. */
function capture(frames: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = createPcapWriter((piece) => pieces.push(piece.slice()));
  const bytes = new Uint8Array(64);
  bytes.fill(0x88);
  for (let i = 0; i < frames; i++) {
    const [seconds, nanoseconds] = [1000 + Math.floor(i / 2), (i % 2) * 500_000_000];
    writer.write({ bytes, start: 0, end: 64, originalLength: 64, seconds, nanoseconds });
  }
  writer.end();
  return new Uint8Array(Buffer.concat(pieces));
}

const CAPTURE = capture(40);
const say = (verdict: number): MapEdit => ({
  map: 'orders',
  key: '00000000',
  value: `0${verdict}00000000000000`,
  mode: 'any',
});

function replayed(options: ReplayOptions, instance = obedient()) {
  const verdicts: string[] = [];
  const replay = new Replay(instance, { packet: (_, { verdict }) => verdicts.push(verdict.slice(4)) }, options);
  for (let at = 0; at < CAPTURE.length && replay.push(CAPTURE.subarray(at, at + 300)); at += 300);
  return { verdicts, tally: replay.end(), frames: replay.frames, stopped: replay.stopped };
}

describe('edits of maps', () => {
  it('are done before the packets that they name, and behind the last one', () => {
    const instance = obedient();
    const edits: TimedEdit[] = [
      { ...say(2), before: 0 },
      { ...say(1), before: 3 },
      { ...say(3), before: 3 },
      { ...say(2), before: 39 },
      { ...say(1), before: 1000 },
    ];
    const control = new ReplayControl(instance.desk, { edits });
    const { verdicts, frames } = replayed({ control }, instance);
    control.end(frames);
    expect(verdicts.join(' ')).toBe(`${'PASS '.repeat(3)}${'TX '.repeat(36)}PASS`);
    expect(control.journal).toEqual(edits);
    expect(instance.desk.entry('orders', '00000000')!.value).toBe('0100000000000000');
  });

  it('that come while packets run are in the journal, which repeats the run', () => {
    const instance = obedient();
    let polls = 0;
    const poll = (edit: (edit: MapEdit) => TimedEdit) => void edit(say((++polls % 3) + 1));
    const control = new ReplayControl(instance.desk, { poll });
    const first = replayed({ control }, instance);
    control.end(first.frames);
    expect(control.journal.length).toBeGreaterThan(1);

    const other = obedient();
    const repeated = new ReplayControl(other.desk, { edits: control.journal });
    expect(replayed({ control: repeated }, other)).toEqual(first);
    repeated.end(first.frames);
    expect(other.dumpMaps()).toEqual(instance.dumpMaps());
  });

  it('that the map does not take end the replay, and say why', () => {
    const { desk } = obedient();
    const beyond = { ...say(1), key: '09000000', before: 2 };
    const control = new ReplayControl(desk, { edits: [beyond] });
    expect(() => control.reach(2)).toThrow('map orders does not take it: E2BIG');
    expect(() => new ReplayControl(desk, { edits: [{ ...say(1), map: 'order', before: 0 }] })).toThrow(
      'there is no map order; there are: orders',
    );
  });
});

describe('a replay ends', () => {
  const orders: TimedEdit[] = [
    { ...say(2), before: 0 },
    { ...say(1), before: 7 },
  ];

  it.each<readonly [StopConditions, number]>([
    [{ packets: 5 }, 5],
    [{ packets: 40 }, 40],
    [{ bytes: 64 * 6 + 1 }, 7],
    [{ seconds: 2 }, 4],
    [{ seconds: 2.25 }, 5],
    [{ verdict: 'XDP_DROP' }, 8],
    [{ wallSeconds: 0 }, 0],
    [{ verdict: 'XDP_DROP', packets: 3 }, 3],
  ])('by %j', (stop, frames) => {
    const instance = obedient();
    const control = new ReplayControl(instance.desk, { edits: orders, wallSeconds: stop.wallSeconds });
    const ended = replayed({ stop, control }, instance);
    expect([ended.frames, ended.tally.packets]).toEqual([frames, frames]);
    expect(stop).toHaveProperty(ended.stopped!);
    expect(ended.tally.captureError).toBeNull();
  });

  it('when it is told to, before the packet at which it is asked', () => {
    const instance = obedient();
    const poll = (_: unknown, index: number) => (index >= 3 ? 'cancelled' : undefined);
    const control = new ReplayControl(instance.desk, { edits: orders, poll });
    const { frames, stopped, tally } = replayed({ control }, instance);
    expect(stopped).toBe('cancelled');
    expect(frames).toBeGreaterThanOrEqual(3);
    expect(frames).toBeLessThan(40);
    expect(tally.packets).toBe(frames);
  });

  it('by the first error', () => {
    const instance = instanceOf('r1 = 0\nr0 = *(u64 *)(r1 + 0)\nexit', { verify: false });
    const { frames, stopped, tally } = replayed({ stop: { error: true } }, instance);
    expect([frames, stopped, tally.verdicts.ERROR]).toEqual([1, 'error', { packets: 1, bytes: 64 }]);
  });

  it('with its capture where no condition is met', () => {
    const { frames, stopped } = replayed({ stop: { packets: 41, error: true, verdict: 'XDP_TX' } });
    expect([frames, stopped]).toEqual([40, null]);
  });
});
