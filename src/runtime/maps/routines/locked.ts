import type { MapRoutines, Routines } from '../../../abi/routines.ts';
import { i32, Routine } from '../../../wasm/expression.ts';
import { acquireCode, LOADS_IN_ORDER, writeRelease } from '../../memory/lock.ts';

type Make = (routines: Routines) => number;

/** Lookups that met a change, after which the lock is waited for. */
const TRIES = 20;

/** LockedMap (../locked-map.ts) as code, around the routines of its map. `lock`: address of a word of the memory. */
export function lockedRoutines(own: MapRoutines, handle: number, lock: number): MapRoutines {
  return {
    ...(own.lookup && { lookup: (routines) => lookup(routines, own.lookup!, handle, lock) }),
    ...(own.update && { update: (routines) => alone(routines, own.update!, `locked update ${handle}`, 3, lock) }),
    ...(own.delete && { delete: (routines) => alone(routines, own.delete!, `locked delete ${handle}`, 1, lock) }),
  };
}

/** An operation while no other runs: (key), or (key, value, flags: i64). */
function alone(routines: Routines, make: Make, name: string, parameters: 1 | 3, lock: number): number {
  return routines.once(name, () => {
    const routine = new Routine((['i32', 'i32', 'i64'] as const).slice(0, parameters), ['i32']);
    routine.do(acquireCode(routines), lock);
    const result = routine.call(make(routines), 'i32', ...routine.parameters);
    writeRelease(routine, i32(lock));
    routine.return(result);
    return routine;
  });
}

/**
 * Lookups write nothing, and so need no lock where nobody changed the map meanwhile: the word is then even, and the same
 * before and behind. What is met in a map that changes is some slot, and links lead to an end.
 */
function lookup(routines: Routines, make: Make, handle: number, lock: number): number {
  return routines.once(`locked lookup ${handle}`, () => {
    const routine = new Routine(['i32'], ['i32']);
    const inner = make(routines);
    const found = routine.let(i32(0));
    const before = routine.let(i32(0));
    const tries = routine.let(i32(0));
    const word = i32(lock).atomic('i32.atomic.load');
    routine.while(tries.lt(TRIES), () => {
      routine.set(before, word);
      routine.if(before.and(1).isZero(), () => {
        routine.set(found, routine.call(inner, 'i32', ...routine.parameters));
        if (!LOADS_IN_ORDER) routine.fence();
        routine.if(word.eq(before), () => routine.return(found));
      });
      routine.set(tries, tries.add(1));
    });
    routine.do(acquireCode(routines), lock);
    routine.set(found, routine.call(inner, 'i32', ...routine.parameters));
    writeRelease(routine, i32(lock));
    routine.return(found);
    return routine;
  });
}
