import type { Memory } from '../../abi/memory.ts';

/** Below this a loop beats the call of the engine's own copy. */
const SHORT = 64;

export function copyBytes({ u8, u32 }: Memory, from: number, to: number, size: number): void {
  if (size > SHORT || from === to) {
    u8.copyWithin(to, from, from + size);
  } else if (((from | to | size) & 3) === 0) {
    for (let i = 0; i < size >>> 2; i++) u32[(to >>> 2) + i] = u32[(from >>> 2) + i]!;
  } else if (from < to && to < from + size) {
    u8.copyWithin(to, from, from + size);
  } else {
    for (let i = 0; i < size; i++) u8[to + i] = u8[from + i]!;
  }
}

export function zeroBytes({ u8 }: Memory, at: number, size: number): void {
  u8.fill(0, at, at + size);
}

export function equalBytes({ u8, view }: Memory, a: number, b: number, size: number): boolean {
  let i = 0;
  for (; i + 4 <= size; i += 4) if (view.getInt32(a + i, true) !== view.getInt32(b + i, true)) return false;
  for (; i < size; i++) if (u8[a + i] !== u8[b + i]) return false;
  return true;
}
