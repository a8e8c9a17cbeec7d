import { type Body, i32, i64, op, type Value } from '../wasm/body.ts';

/** Writes `size` bytes of zeroes; `size` is a multiple of 4. */
export function zero(body: Body, address: Value, size: number, memory: number): void {
  let at = 0;
  for (; at + 16 <= size; at += 16) body.store('v128.store', address, at, op('i8x16.splat', i32(0)), memory);
  for (; at + 8 <= size; at += 8) body.store('i64.store', address, at, i64(0), memory);
  if (at < size) body.store('i32.store', address, at, i32(0), memory);
}
