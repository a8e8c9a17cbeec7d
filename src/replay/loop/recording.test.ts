import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { createPcapngWriter } from '../../capture/pcapng-writer.ts';
import { instanceOf } from '../../engine/testing.ts';
import { openRecording } from '../recording.ts';
import { Replay } from '../replay.ts';

const directory = mkdtempSync(join(tmpdir(), 'bpfreplay-recording-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** r0 is the frame's first word, as long as it leaves the packet as it is; the rest is cut, grown or moved. */
const XDP = `
  r6 = r1
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r7 + 0)
  r2 = *(u8 *)(r7 + 4)
  if r2 > 100 goto out
  r2 -= 50
  r1 = r6
  call bpf_xdp_adjust_head
out:
  r0 = r8
  exit
`;
const TC = `
  r7 = *(u32 *)(r1 + 76)
  r6 = *(u8 *)(r7 + 0)
  r6 &= 7
  if r6 != 5 goto out
  r2 = 0x88a8
  r3 = 7
  call bpf_skb_vlan_push
out:
  r0 = r6
  exit
`;
const CGROUP = 'r0 = *(u32 *)(r1 + 0)\nr0 &= 1\nexit';

const packet = fc.record({
  size: fc.oneof(fc.integer({ min: 10, max: 300 }), fc.integer({ min: 14, max: 5000 })),
  cutOff: fc.oneof(fc.constant(0), fc.nat(2000)),
  code: fc.oneof(fc.integer({ min: 0, max: 6 }), fc.constantFrom(0xffff_ffff, 12_345, 0xffff_fffe, 31)),
  move: fc.nat(255),
  seconds: fc.oneof(fc.constantFrom(0, 1, 9, 999_999_999, 1_700_000_000, 2 ** 32 - 1, 2 ** 32, 2 ** 33), fc.nat()),
  nanoseconds: fc.oneof(fc.nat(999_999_999), fc.constantFrom(0, 1, 999_999_999, 10_000, 100_000_000)),
});
type Packet = typeof packet extends fc.Arbitrary<infer T> ? T : never;

function captureOf(packets: readonly Packet[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = createPcapngWriter((bytes) => pieces.push(bytes));
  writer.addInterface();
  for (const { size, cutOff, code, move, seconds, nanoseconds } of packets) {
    const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + size) & 0xff);
    new DataView(bytes.buffer).setUint32(0, code, true);
    bytes[4] = move;
    writer.write({ bytes, start: 0, end: size, originalLength: size + cutOff, seconds, nanoseconds, interfaceId: 0 });
  }
  writer.end();
  return Buffer.concat(pieces);
}

it.each([
  { type: 'xdp', text: XDP },
  { type: 'sched_cls', text: TC },
  { type: 'cgroup_skb', text: CGROUP },
])('records of $type packets are the same bytes, whoever writes them', ({ type, text }) => {
  const [reference, fast] = (['interpreter', 'jit'] as const).map((engine) =>
    instanceOf(text, { type, engine, verify: false }),
  );
  const recorded = (instance: typeof reference & object, capture: Uint8Array, cut: number) => {
    const [packets, write] = ['packets', 'write'].map((name) => join(directory, name)) as [string, string];
    const recording = openRecording({ packets, write }, instance);
    const replay = new Replay(instance, recording.sinks);
    for (const piece of [capture.subarray(0, cut), capture.subarray(cut)]) replay.push(piece);
    replay.end();
    recording.close();
    return [readFileSync(packets, 'utf8').split('\n'), readFileSync(write).toString('hex')];
  };
  fc.assert(
    fc.property(fc.array(packet, { minLength: 1, maxLength: 40 }), fc.nat(20_000), (packets, cut) => {
      const capture = captureOf(packets);
      expect(recorded(fast!, capture, cut)).toEqual(recorded(reference!, capture, capture.length));
    }),
    { numRuns: 40 },
  );
});
