import { type Expression, i32, type Routine, type Variable } from '../../../wasm/expression.ts';

/** Words of a free list (../free-slots.ts): slots ever used, height of the stack, the stack. */
const HEIGHT = 4;

/** How many slots are in use. */
export const taken = (start: number): Expression => i32(start).load().sub(i32(start).load(HEIGHT));

/** A slot, of which there is one. */
export function takeSlot(routine: Routine, start: number): Variable {
  const at = i32(start);
  const height = routine.let(at.load(HEIGHT));
  return routine.either(
    height,
    () => {
      routine.store(at, height.sub(1), HEIGHT);
      return height.shl(2).load(start + HEIGHT);
    },
    () => {
      const used = routine.let(at.load());
      routine.store(at, used.add(1));
      return used;
    },
  );
}

export function giveSlot(routine: Routine, start: number, slot: Expression): void {
  const height = routine.let(i32(start).load(HEIGHT).add(1));
  routine.store(i32(start), height, HEIGHT);
  routine.store(height.shl(2), slot, start + HEIGHT);
}
