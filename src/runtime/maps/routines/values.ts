import type { Routines } from '../../../abi/routines.ts';
import { type Expression, i32, type Routine } from '../../../wasm/expression.ts';

/** How values lie: the value of slot s on CPU c is at start + (s × copies + c) × stride. */
export interface ValueArea {
  readonly start: number;
  readonly size: number;
  readonly stride: number;
  readonly copies: number;
}

/** ValueSlots (../value-slots.ts) as code. `first` is the number of the first slot, 1 where slots go by links. */
export class ValuesCode {
  readonly #area: ValueArea;
  readonly #first: number;
  readonly #routines: Routines;

  constructor(routines: Routines, area: ValueArea, first: 0 | 1) {
    this.#routines = routines;
    this.#area = area;
    this.#first = first;
  }

  #onFirstCpu(slot: Expression): Expression {
    const { start, stride, copies } = this.#area;
    return slot.mul(copies * stride).add(start - this.#first * copies * stride);
  }

  /** Address of the value as the program that runs now sees it. */
  at(slot: Expression): Expression {
    const { stride, copies } = this.#area;
    const address = this.#onFirstCpu(slot);
    return copies === 1 ? address : address.add(this.#routines.slot('cpu').load().mul(stride));
  }

  set(routine: Routine, slot: Expression, from: Expression): void {
    routine.copy(routine.let(this.at(slot)), from, this.#area.size);
  }

  /** Of a new entry: its own CPU's value, zero on all others. */
  setFresh(routine: Routine, slot: Expression, from: Expression): void {
    const { copies, stride, size } = this.#area;
    this.set(routine, slot, from);
    if (copies === 1) return;
    const own = routine.let(this.at(slot));
    const value = routine.let(this.#onFirstCpu(slot));
    const end = routine.let(value.add(copies * stride));
    routine.while(value.lt(end), () => {
      routine.if(value.ne(own), () => routine.zero(value, i32(size)));
      routine.set(value, value.add(stride));
    });
  }
}
