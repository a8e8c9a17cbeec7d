import { ERRNO } from '../../../abi/errno.ts';
import type { MapRoutines } from '../../../abi/routines.ts';
import { Routine, type Variable } from '../../../wasm/expression.ts';
import { BPF_EXIST, BPF_NOEXIST } from '../flags.ts';
import { type ValueArea, ValuesCode } from './values.ts';

const BPF_F_LOCK = 4;

/** ArrayMap (../array.ts) as code. */
export function arrayRoutines(handle: number, entries: number, area: ValueArea): MapRoutines {
  return {
    lookup: (routines) =>
      routines.once(`lookup ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const slot = routine.let(routine.parameters[0]!.load());
        const values = new ValuesCode(routines, area, 0);
        routine.if(slot.lt(entries), () => routine.return(values.at(slot)));
        routine.return(0);
        return routine;
      }),
    update: (routines) =>
      routines.once(`update ${handle}`, () => {
        const routine = new Routine(['i32', 'i32', 'i64'], ['i32']);
        const [key, value, flags] = routine.parameters as [Variable, Variable, Variable];
        const values = new ValuesCode(routines, area, 0);
        const slot = routine.let(key.load());
        const refuse = (errno: number) => () => routine.return(-errno);
        routine.if(flags.ne(0), () => {
          const mode = routine.let(flags.and(~BPF_F_LOCK));
          routine.if(mode.gt(BPF_EXIST), refuse(ERRNO.EINVAL));
          routine.if(slot.ge(entries), refuse(ERRNO.E2BIG));
          routine.if(mode.eq(BPF_NOEXIST), refuse(ERRNO.EEXIST));
          routine.if(flags.ne(mode), refuse(ERRNO.EINVAL));
        });
        routine.if(slot.ge(entries), refuse(ERRNO.E2BIG));
        values.set(routine, slot, value);
        routine.return(0);
        return routine;
      }),
    delete: (routines) =>
      routines.once('delete nothing', () => {
        const routine = new Routine(['i32'], ['i32']);
        routine.return(-ERRNO.EINVAL);
        return routine;
      }),
  };
}
