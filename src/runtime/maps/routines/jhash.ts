import type { Expression, Routine, Variable } from '../../../wasm/expression.ts';
import { i32 } from '../../../wasm/expression.ts';

/** As ../jhash.ts reckons it, with seed 0. */
export function writeJhash(routine: Routine, key: Expression, keySize: number): Expression {
  const [a, b, c] = [0, 1, 2].map(() => routine.let(i32(0xdeadbeef + keySize))) as [Variable, Variable, Variable];
  const words = [a, b, c];
  let at = 0;
  for (; keySize - at > 12; at += 12) {
    for (const [index, word] of words.entries()) routine.set(word, word.add(key.load(at + 4 * index)));
    /** x = (x − y) ^ rotl(y, by); y += z. */
    const mix = (x: Variable, y: Variable, z: Variable, by: number) => {
      routine.set(x, x.sub(y).xor(y.rotl(by)));
      routine.set(y, y.add(z));
    };
    mix(a, c, b, 4);
    mix(b, a, c, 6);
    mix(c, b, a, 8);
    mix(a, c, b, 16);
    mix(b, a, c, 19);
    mix(c, b, a, 4);
  }
  for (const [index, word] of words.entries()) {
    const bytes = Math.min(4, keySize - at - 4 * index);
    if (bytes > 0) routine.set(word, word.add(tail(key, at + 4 * index, bytes)));
  }
  /** x = (x ^ y) − rotl(y, by). */
  const final = (x: Variable, y: Variable, by: number) => routine.set(x, x.xor(y).sub(y.rotl(by)));
  final(c, b, 14);
  final(a, c, 11);
  final(b, a, 25);
  final(c, b, 16);
  final(a, c, 4);
  final(b, a, 14);
  final(c, b, 24);
  return c;
}

/** 1 to 4 bytes, little-endian. */
function tail(key: Expression, at: number, bytes: number): Expression {
  if (bytes === 4) return key.load(at);
  const byte = key.load(at + bytes - 1, 'i32.load8_u');
  if (bytes === 1) return byte;
  return tail(key, at, bytes - 1).or(byte.shl(8 * (bytes - 1)));
}
