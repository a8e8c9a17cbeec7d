import { ERRNO } from '../../../abi/errno.ts';
import type { MapRoutines, Routines } from '../../../abi/routines.ts';
import { i32, Routine, type Variable } from '../../../wasm/expression.ts';
import { BPF_EXIST, BPF_NOEXIST } from '../flags.ts';
import { giveSlot, taken, takeSlot } from './free-slots.ts';
import type { TableCode } from './table.ts';
import { type ValueArea, ValuesCode } from './values.ts';

export interface HashAreas {
  readonly handle: number;
  readonly entries: number;
  readonly table: TableCode;
  readonly values: ValueArea;
  readonly free: number;
  /** Address of a spare slot's number for each CPU, where the map has spares. */
  readonly spare: number | undefined;
  readonly perCpu: boolean;
}

/** HashMap (../hash.ts) as code. */
export function hashRoutines(areas: HashAreas): MapRoutines {
  const { handle, table } = areas;
  return {
    lookup: (routines) =>
      routines.once(`lookup ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        const link = table.find(routine, key, table.hash(routine, key));
        routine.if(link, () => routine.return(new ValuesCode(routines, areas.values, 1).at(link)));
        routine.return(0);
        return routine;
      }),
    update: (routines) => routines.once(`update ${handle}`, () => update(areas, routines)),
    delete: (routines) =>
      routines.once(`delete ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        const hash = table.hash(routine, key);
        const link = table.find(routine, key, hash);
        routine.if(link.eq(0), () => routine.return(-ERRNO.ENOENT));
        table.unlink(routine, link, hash);
        giveSlot(routine, areas.free, link.sub(1));
        routine.return(0);
        return routine;
      }),
  };
}

function update({ entries, table, values: area, free, spare, perCpu }: HashAreas, routines: Routines): Routine {
  const routine = new Routine(['i32', 'i32', 'i64'], ['i32']);
  const [key, value, flags] = routine.parameters as [Variable, Variable, Variable];
  const values = new ValuesCode(routines, area, 1);
  const refuse = (errno: number) => () => routine.return(-errno);
  // A lock is asked for by a flag above these; no value has one.
  routine.if(flags.gt(BPF_EXIST), refuse(ERRNO.EINVAL));
  const hash = table.hash(routine, key);
  const old = table.find(routine, key, hash);
  routine.if(old.eq(0), () => {
    routine.if(flags.eq(BPF_EXIST), refuse(ERRNO.ENOENT));
    routine.if(taken(free).eq(entries), refuse(ERRNO.E2BIG));
    const link = routine.let(takeSlot(routine, free).add(1));
    table.link(routine, link, key, hash);
    values.setFresh(routine, link, value);
    routine.return(0);
  });
  routine.if(flags.eq(BPF_NOEXIST), refuse(ERRNO.EEXIST));
  if (perCpu) values.set(routine, old, value);
  else {
    const link = routine.let(i32(0));
    if (spare === undefined) {
      routine.set(link, takeSlot(routine, free).add(1));
      giveSlot(routine, free, old.sub(1));
    } else {
      const word = routine.let(routines.slot('cpu').load().shl(2).add(spare));
      routine.set(link, word.load().add(1));
      routine.store(word, old.sub(1));
    }
    table.replace(routine, old, link, key, hash);
    values.set(routine, link, value);
  }
  routine.return(0);
  return routine;
}

/** What a lookup in a map of maps gives: the handle that the value holds. `lookup` finds the value. */
export function hashOfMapsLookup(routines: Routines, handle: number, lookup: number): number {
  return routines.once(`lookup map of ${handle}`, () => {
    const routine = new Routine(['i32'], ['i32']);
    const value = routine.call(lookup, 'i32', ...routine.parameters);
    routine.if(value, () => routine.return(value.load()));
    routine.return(0);
    return routine;
  });
}
