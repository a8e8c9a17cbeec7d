import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../base/random.ts';
import { createPcapWriter } from '../../capture/pcap-writer.ts';
import { instanceOf } from '../../engine/testing.ts';
import { Replay, type ReplayOptions, type ReplaySinks } from '../replay.ts';

/** r0 is the low bits of the frame's sixth byte; what lies behind its headers is turned over. */
const TURNING = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r0 = *(u8 *)(r2 + 5)
  r0 &= 3
  r5 = *(u8 *)(r2 + 13)
  r5 ^= 0xff
  *(u8 *)(r2 + 13) = r5
  exit
out:
  r0 = 2
  exit
`;
const REDIRECTING = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r1 = *(u8 *)(r2 + 5)
  r1 += 1
  r2 = 0
  call bpf_redirect
  exit
out:
  r0 = 2
  exit
`;
const COUNT = 400;
const START = 1_700_000_000;

/** Frames of all lengths; one comes 0.37 seconds behind the other, and now and then one comes late. */
function capture(): Uint8Array {
  const random = seededRandom(7);
  const pieces: Uint8Array[] = [];
  const writer = createPcapWriter((bytes) => pieces.push(bytes));
  for (let i = 0; i < COUNT; i++) {
    const bytes = Uint8Array.from({ length: 14 + random.below(random.below(2) === 0 ? 100 : 4000) }, () =>
      random.below(256),
    );
    bytes.set([0x08, 0x00], 12);
    const time = START + 0.37 * i - (random.below(20) === 0 ? 2 : 0);
    writer.write({
      bytes,
      start: 0,
      end: bytes.length,
      originalLength: bytes.length + random.below(3) * 500,
      seconds: Math.floor(time),
      nanoseconds: Math.round((time % 1) * 1e9) % 1e9,
      linkType: 1,
      fcsLength: 0,
    } as Parameters<typeof writer.write>[0]);
  }
  writer.end();
  return Buffer.concat(pieces);
}

const CAPTURE = capture();

interface Told {
  readonly tally: unknown;
  readonly stopped: unknown;
  readonly frames: number;
}

/** What each engine tells; the JIT is given the capture in pieces. */
function told(text: string, options: () => ReplayOptions, sinks: ReplaySinks = {}): Told[] {
  return (['interpreter', 'jit'] as const).map((engine) => {
    const replay = new Replay(instanceOf(text, { engine }), sinks, options());
    const size = engine === 'jit' ? 30_011 : CAPTURE.length;
    for (let at = 0; at < CAPTURE.length && replay.push(CAPTURE.subarray(at, at + size)); ) at += size;
    return { tally: replay.end(), stopped: replay.stopped, frames: replay.frames };
  });
}

describe('the loop of generated code', () => {
  it('leaves the capture as it came to whoever looks, though frames run where they lie', () => {
    const [reference, here] = told(TURNING, () => ({}));
    expect(here).toEqual(reference);
    expect(here!.tally).toMatchObject({ packets: COUNT, protocols: { 'IPv4 TCP': expect.anything() } });
  });

  it('counts redirects by target, more than it keeps places for', () => {
    const [reference, here] = told(REDIRECTING, () => ({}));
    expect(here).toEqual(reference);
    expect(Object.keys((here!.tally as { redirects: object }).redirects).length).toBeGreaterThan(100);
  });

  it.each([
    { packets: 1 },
    { packets: 150 },
    { bytes: 1 },
    { bytes: 123_456 },
    { seconds: 0 },
    { seconds: 33.3 },
    { verdict: 'XDP_TX' },
    { packets: 10_000, bytes: 1e9, seconds: 1e9 },
  ])('ends where JavaScript would: %j', (stop) => {
    const [reference, here] = told(TURNING, () => ({ stop }));
    expect(here).toEqual(reference);
  });

  it.each([1, 7, 0.5, 1000])('turns windows of %d seconds before the packets that begin them', (seconds) => {
    const turns: string[][] = [];
    told(TURNING, () => {
      const own: string[] = [];
      turns.push(own);
      return { window: { seconds, turn: (index) => own.push(String(index)) } };
    });
    expect(turns[0]!.length).toBeGreaterThan(0);
    expect(turns[1]).toEqual(turns[0]);
  });

  it('shows each packet as it came to sinks that want to see it', () => {
    const seen: string[] = [];
    told(TURNING, () => ({}), {
      packet: ({ bytes, start, end }) => seen.push(Buffer.from(bytes.subarray(start, end)).toString('hex')),
    });
    expect(seen.slice(COUNT)).toEqual(seen.slice(0, COUNT));
  });
});
