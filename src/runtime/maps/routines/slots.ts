import type { MapRoutines, Routines } from '../../../abi/routines.ts';
import { type Expression, Routine, type Variable } from '../../../wasm/expression.ts';

export interface SlotAreas {
  readonly handle: number;
  readonly entries: number;
  readonly values: number;
  readonly stride: number;
  /** A word a slot: 0 while nothing is there. */
  readonly present: number;
}

/** What a program gets of a slot that is taken. */
export type Found = (value: Expression, index: Expression) => Expression;

const lookupOf =
  ({ handle, entries, present, values, stride }: SlotAreas, found: Found) =>
  (routines: Routines): number =>
    routines.once(`lookup ${handle}`, () => {
      const routine = new Routine(['i32'], ['i32']);
      const index = routine.let((routine.parameters as [Variable])[0].load());
      routine.if(index.lt(entries), () => {
        routine.if(index.shl(2).load(present), () => routine.return(found(index.mul(stride).add(values), index)));
      });
      routine.return(0);
      return routine;
    });

const targetOf =
  ({ handle, entries, present, values, stride }: SlotAreas, found: Found) =>
  (routines: Routines): number =>
    routines.once(`target ${handle}`, () => {
      const routine = new Routine(['i32'], ['i32']);
      const [index] = routine.parameters as [Variable];
      routine.if(index.lt(entries), () => {
        routine.if(index.shl(2).load(present), () => routine.return(found(index.mul(stride).add(values), index)));
      });
      routine.return(-1);
      return routine;
    });

/** SlotMap (../slot-map.ts) as code: what a lookup gives, and what bpf_redirect_map finds. */
export function slotRoutines(
  areas: SlotAreas,
  give: { readonly lookup?: Found; readonly target?: Found },
): MapRoutines {
  return {
    ...(give.lookup === undefined ? {} : { lookup: lookupOf(areas, give.lookup) }),
    ...(give.target === undefined ? {} : { target: targetOf(areas, give.target) }),
  };
}
