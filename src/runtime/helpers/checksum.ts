import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Memory } from '../../abi/memory.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, i32, Routine, type Variable } from '../../wasm/expression.ts';
import { fold16, subtract32 } from './ones-complement.ts';
import { LWT, XDP_TC } from './program-types.ts';

/** The difference that replacing `from` by `to` makes to a checksum (RFC 1624), folded to 16 bits. */
const csumDiff = defineHelper({
  name: 'csum_diff',
  id: 28,
  prototype: {
    args: ['mem?', 'size0', 'mem?', 'size0', 'u32'],
    returns: 'integer',
    programTypes: [...XDP_TC, ...LWT],
  },
  run({ memory }, from, fromSize, to, toSize, seed) {
    if (fromSize === 0) return fold16(sum32(memory, to, toSize, seed));
    // The same but for which of the two zeroes comes out where seed and sum are equal.
    if (toSize === 0) return fold16(~sum32(memory, from, fromSize, ~seed >>> 0) >>> 0);
    return fold16(subtract32(sum32(memory, to, toSize, seed), sum32(memory, from, fromSize, 0)));
  },
  emit: (routines, { args }) => {
    const [from, fromSize, to, toSize, seed] = args.map((arg) => arg.narrow()) as [Expression, Expression, Expression, Expression, Expression]; // biome-ignore format: one line
    const index = routines.once('csum_diff', () => csumDiffRoutine(routines));
    return callOf(index, 'i32', from, fromSize, to, toSize, seed).wide();
  },
});

/** Ones' complement sum of words, in the byte order of the machine (RFC 1071, section 2); zeroes fill the last one. */
function sum32({ u8, view }: Memory, start: number, size: number, seed: number): number {
  const rest = size & 3;
  const end = start + size - rest;
  // Below 2^53 for any size that a program can have: the carries are folded in once, at the end.
  let sum = seed;
  for (let at = start; at < end; at += 4) sum += view.getUint32(at, true);
  for (let i = 0; i < rest; i++) sum += u8[end + i]! * 2 ** (8 * i);
  while (sum > 0xffff_ffff) sum = (sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000);
  return sum;
}

/** `run` above. */
function csumDiffRoutine(routines: Routines): Routine {
  const routine = new Routine(['i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const [from, fromSize, to, toSize, seed] = routine.parameters as [Variable, Variable, Variable, Variable, Variable];
  const sum = routines.once('sum32', sum32Routine);
  const added = routine.let(i32(0));
  const add = () => routine.set(added, callOf(sum, 'i32', to, toSize, seed));
  const subtract = () => {
    const removed = routine.call(sum, 'i32', from, fromSize, i32(0));
    const both = routine.let(added.wide().add(removed.xor(-1).wide()));
    routine.set(added, both.add(both.shr(32)).narrow());
  };
  const remove = () => routine.set(added, callOf(sum, 'i32', from, fromSize, seed.xor(-1)).xor(-1));
  routine.if(
    toSize.or(fromSize.isZero()),
    () => {
      add();
      routine.if(fromSize, subtract);
    },
    remove,
  );
  routine.set(added, added.and(0xffff).add(added.shr(16)));
  routine.return(added.and(0xffff).add(added.shr(16)));
  return routine;
}

/** (start, size, seed) → the sum. */
function sum32Routine(): Routine {
  const routine = new Routine(['i32', 'i32', 'i32'], ['i32']);
  const [start, size, seed] = routine.parameters as [Variable, Variable, Variable];
  const sum = routine.let(seed.wide());
  const end = routine.let(start.add(size.and(-4)));
  routine.while(start.lt(end), () => {
    routine.set(sum, sum.add(start.load(0, 'i64.load32_u')));
    routine.set(start, start.add(4));
  });
  for (const [index, byte] of [0, 1, 2].entries()) {
    routine.if(size.and(3).gt(byte), () => {
      routine.set(sum, sum.add(start.load(byte, 'i64.load8_u').shl(8 * index)));
    });
  }
  routine.while(sum.gt(0xffff_ffff), () => routine.set(sum, sum.and(0xffff_ffff).add(sum.shr(32))));
  routine.return(sum);
  return routine;
}

export const checksumHelpers: readonly Helper[] = [csumDiff];
