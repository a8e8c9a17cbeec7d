/**
 * Replays mutated captures on both engines, in chunks that are cut anywhere: the loop of generated code takes the
 * records of one, JavaScript those of the other, and what is told of the capture in the end is the same.
 *
 *   node tools/fuzz/loop.ts --seed 1 --count 100000
 */
import type { Random } from '../../src/base/random.ts';
import { Instance } from '../../src/engine/instance.ts';
import { assembleObject } from '../../src/engine/read-object.ts';
import { Replay } from '../../src/replay/replay.ts';
import { mapSpec } from '../../src/runtime/maps/test-host.ts';
import { mutatedCapture } from './capture.ts';
import { fuzzFromCommandLine } from './run.ts';

/** Adds clock, lengths and bytes of the packet up in a map; verdicts of all kinds, and a fault where a byte is odd. */
const XDP = `
  r6 = r1
  r7 = *(u32 *)(r6 + 0)
  r8 = *(u32 *)(r6 + 4)
  r9 = r8
  r9 -= r7
  call bpf_ktime_get_ns
  r9 += r0
  r0 = *(u8 *)(r7 + 13)
  r9 ^= r0
  r1 = map[sums] ll
  r2 = r10
  r2 += -4
  *(u32 *)(r10 - 4) = 0
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 *= 31
  r1 += r9
  *(u64 *)(r0 + 0) = r1
out:
  r0 = *(u8 *)(r7 + 5)
  r1 = r0
  r1 &= 15
  if r1 == 3 goto fault
  if r1 == 5 goto head
  r0 &= 63
  r0 += -2
  exit
head:
  r1 = r6
  r2 = -8
  call bpf_xdp_adjust_head
  r7 = *(u32 *)(r6 + 0)
  r0 = *(u8 *)(r7 + 0)
  *(u8 *)(r7 + 0) = 9
  exit
fault:
  r0 = *(u8 *)(r8 + 0)
  exit
`;

/** The same of the fields of an sk_buff. */
const TC = `
  r6 = r1
  r9 = *(u32 *)(r6 + 0)
  r0 = *(u32 *)(r6 + 4)
  r9 ^= r0
  r0 = *(u32 *)(r6 + 16)
  r9 ^= r0
  r0 = *(u32 *)(r6 + 40)
  r9 += r0
  *(u32 *)(r6 + 8) = 77
  r1 = map[sums] ll
  r2 = r10
  r2 += -4
  *(u32 *)(r10 - 4) = 0
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 *= 31
  r1 += r9
  *(u64 *)(r0 + 0) = r1
out:
  r0 = r9
  r0 &= 7
  exit
`;

const PAIRS = (
  [
    ['xdp', XDP],
    ['sched_cls', TC],
  ] as const
).map(([type, text]) => {
  const maps = [mapSpec('array', { name: 'sums', keySize: 4, valueSize: 8, maxEntries: 1 })];
  const object = assembleObject(text, { type, maps, license: 'GPL' });
  const of = (engine: 'interpreter' | 'jit') =>
    new Instance(object, { engine, verify: false, maxMemory: 2 ** 23, cpus: type === 'xdp' ? 1 : 3 });
  return { reference: of('interpreter'), fast: of('jit') };
});

/** What was told of the capture, in short. Throws where the engines do not agree. */
export function fuzzLoop(random: Random): string {
  const capture = mutatedCapture(random);
  const { reference, fast } = PAIRS[random.below(PAIRS.length)]!;
  const whole = () => capture.length;
  const pieces = [whole, () => 1, () => 1 + random.below(100)][random.below(3)]!;
  const [told, here] = [replayed(reference, capture, whole), replayed(fast, capture, pieces)];
  if (told !== here) throw new Error(`the interpreter tells ${told}, the loop ${here}, of ${capture.toHex()}`);
  return (JSON.parse(told) as { captureError: { code: string } | null }).captureError?.code ?? 'whole';
}

function replayed(instance: Instance, capture: Uint8Array, size: () => number): string {
  const replay = new Replay(instance);
  for (let at = 0; at < capture.length; ) {
    const end = at + size();
    if (!replay.push(capture.subarray(at, end))) break;
    at = end;
  }
  return JSON.stringify({ ...replay.end(), maps: instance.dumpMaps() });
}

if (import.meta.main) fuzzFromCommandLine('loop', fuzzLoop);
