import type { MapRoutines } from '../../../abi/routines.ts';
import { i32, Routine, type Variable } from '../../../wasm/expression.ts';
import type { TableCode } from './table.ts';
import { type ValueArea, ValuesCode } from './values.ts';

export interface DeviceHashAreas {
  readonly handle: number;
  readonly table: TableCode;
  readonly values: ValueArea;
  /** Where a key is put for the table to find it. */
  readonly staging: number;
}

/** DeviceHash (../devmap.ts) as code. */
export function deviceHashRoutines({ handle, table, values: area, staging }: DeviceHashAreas): MapRoutines {
  return {
    lookup: (routines) =>
      routines.once(`lookup ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        const link = table.find(routine, key, table.hash(routine, key));
        routine.if(link, () => routine.return(new ValuesCode(routines, area, 1).at(link)));
        routine.return(0);
        return routine;
      }),
    target: (routines) =>
      routines.once(`target ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        routine.store(i32(staging), key);
        const link = table.find(routine, i32(staging), key);
        routine.if(link, () => routine.return(new ValuesCode(routines, area, 1).at(link).load()));
        routine.return(-1);
        return routine;
      }),
  };
}
