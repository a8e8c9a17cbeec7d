/** Calls of kernel functions and dynptr helpers with whatever: no program that nobody verified brings a runner down. */
import { describe, expect, it } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { Instance } from '../../src/engine/instance.ts';
import { assembleObject } from '../../src/engine/read-object.ts';
import { mapSpecOf } from '../../src/engine/testing.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import { kfuncs } from '../../src/runtime/kfuncs/index.ts';
import { differenceOfEngines, randomPackets } from './both-engines.ts';

const SEED = 5;
const PROGRAMS = 250;
const RUNNING = [...kfuncs].filter(([, { run }]) => run !== undefined).map(([name]) => name);
const NAMES = [...RUNNING, 'bpf_nothing', 'bpf_strlen'];
const HELPERS = ['dynptr_from_mem', 'dynptr_read', 'dynptr_write', 'dynptr_data', 'ringbuf_reserve_dynptr', 'ringbuf_submit_dynptr', 'ringbuf_discard_dynptr']; // biome-ignore format: a list
const MAPS = [
  mapSpecOf({ name: 'values', type: 2, valueSize: 64 }),
  mapSpecOf({ name: 'ring', type: 27, keySize: 0, valueSize: 0, maxEntries: 4096 }),
];

function objectOf(text: string): ObjectSpec {
  // Weak, so that nothing is refused before the run.
  const kernelSymbols = NAMES.map((name) => ({ name, kind: 'kfunc' as const, weak: true, btfId: null }));
  const numbered = text.replaceAll(/kfunc\[(\w+)\]/g, (_, name: string) => `kfunc[${NAMES.indexOf(name)}]`);
  return { ...assembleObject(numbered, { type: 'xdp', maps: MAPS }), kernelSymbols };
}

/** Two dynptrs to begin with, on a stack of other bytes. */
const START = `r6 = r1
  ${[40, 48, 56, 64, 72, 80].map((at) => `*(u64 *)(r10 - ${at}) = ${at * 0x123}`).join('\n')}
  r2 = 0\nr3 = r10\nr3 += -16\ncall kfunc[bpf_dynptr_from_xdp]
  r1 = map[values][0]+0 ll\nr2 = 48\nr3 = 0\nr4 = r10\nr4 += -32\ncall bpf_dynptr_from_mem`;

function randomText({ below }: Random): string {
  const of = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const stack = (register: number) =>
    `r${register} = r10\nr${register} += ${of([-16, -16, -32, -32, -24, -48, -80, -8, -4])}`;
  const argument = (register: number) =>
    of([
      () => stack(register),
      () => stack(register),
      () => `r${register} = ${of([0, 0, 1, 4, 8, 14, 40, 100, -1])}`,
      () => `r${register} = ${of([0, 4, 16])}`,
      () => `r${register} = r6`,
      () => `r${register} = map[${of(['values][0]+0', 'ring]'])} ll`,
      () => `r${register} = *(u32 *)(r6 + 0)`,
    ])();
  const steps = Array.from({ length: 1 + below(6) }, () => {
    const name = below(4) === 0 ? `bpf_${of(HELPERS)}` : `kfunc[${of(RUNNING)}]`;
    const touch = of(['', '', '*(u64 *)(r10 - 88) = r0', 'r7 = *(u8 *)(r0 + 0)', '*(u8 *)(r0 + 3) = 7']);
    // What the dynptr of the packet is most often asked.
    const first = below(2) === 0 ? stack(1) : argument(1);
    return [first, ...[2, 3, 4, 5].map(argument), `call ${name}`, touch].join('\n');
  });
  return `${START}\n${steps.join('\n')}\nr0 = 2\nexit`;
}

describe('kernel functions, unverified', () => {
  it(`answer on both engines alike, or end the run in the same words (seed ${SEED})`, () => {
    const random = seededRandom(SEED);
    for (let i = 0; i < PROGRAMS; i++) {
      const text = randomText(random);
      expect(differenceOfEngines({ object: objectOf(text), packets: randomPackets(i, 2) }), text).toBeUndefined();
    }
  });

  const STACK = 'r1 = r10; r1 += -16';
  it.each([
    ['bytes that are no dynptr', `*(u64 *)(r10 - 16) = 77; *(u64 *)(r10 - 8) = -1; *(u32 *)(r10 - 12) = 9; ${STACK}; call kfunc[bpf_dynptr_size]`, /argument 1 of bpf_dynptr_size is no dynptr/],
    ['a dynptr that was made up, to memory that is not its own', `*(u32 *)(r10 - 16) = 4096; *(u32 *)(r10 - 12) = 1; *(u64 *)(r10 - 8) = -1; ${STACK}; r2 = 0; r3 = 4; call bpf_dynptr_data`, /writes 4294967295 bytes at/],
    ['null', 'r1 = 0; call kfunc[bpf_dynptr_is_null]', /reads 16 bytes at null/],
    ['a buffer that is not all there', `r1 = r6; r2 = 0; r3 = r10; r3 += -16; call kfunc[bpf_dynptr_from_xdp]; ${STACK}; r2 = 0; r3 = r10; r3 += -4; r4 = 8; call kfunc[bpf_dynptr_slice]`, /writes 8 bytes at stack at offset 4092 of 4096 bytes/],
    ['an iterator beyond the stack', 'r1 = r10; call kfunc[bpf_iter_num_next]', /writes 8 bytes at/],
    ['one that no kernel has', 'call kfunc[bpf_nothing]', /there is no kernel function bpf_nothing/],
    ['one that cannot run', 'call kfunc[bpf_strlen]', /bpf_strlen is known to the verifier but cannot run here yet/],
  ])('%s', (_, text, message) => {
    const object = objectOf(`r6 = r1\n${text.replaceAll('; ', '\n')}\nr0 = 2\nexit`);
    const run = (engine: 'jit' | 'interpreter') =>
      new Instance(object, { verify: false, engine }).runPacket(randomPackets(1, 1)[0]!).error?.message;
    expect(run('jit')).toMatch(message);
    expect(run('interpreter')).toBe(run('jit'));
  }); // biome-ignore format: a table
});
