import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type EmittedCall, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { BpfMap } from '../../abi/map.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, Routine, type Variable } from '../../wasm/expression.ts';

/** The verifier lets no program call an operation that the map's type lacks; unverified ones get Linux's answer for it. */
const MISSING = -ERRNO.EOPNOTSUPP;

/** So many maps are told apart by generated code. */
const MOST_INNER = 64;

/** Maps that a map of maps may hold. */
function innerMaps({ maps = [] }: Machine): BpfMap[] {
  const templates = maps.flatMap(({ spec }) => spec.inner ?? []);
  return maps.filter(({ spec }) =>
    templates.some(
      ({ type, keySize, valueSize }) => type === spec.type && keySize === spec.keySize && valueSize === spec.valueSize,
    ),
  );
}

/** (handle, key): the operation on the map that a handle stands for. JavaScript does it for others. */
function byHandle(routines: Routines, machine: Machine, operation: 'lookup' | 'delete'): number | undefined {
  const maps = innerMaps(machine).filter(({ routines }) => routines?.[operation] !== undefined);
  if (maps.length === 0 || maps.length > MOST_INNER) return undefined;
  return routines.once(`${operation} by handle`, () => {
    const routine = new Routine(['i32', 'i32'], ['i32']);
    const [handle, key] = routine.parameters as [Variable, Variable];
    const choose = (among: readonly BpfMap[]): void => {
      const [first] = among as [BpfMap];
      const half = among.length >> 1;
      if (half === 0) {
        const index = first.routines![operation]!(routines);
        routine.if(handle.eq(first.handle), () => routine.return(callOf(index, 'i32', key)));
      } else {
        routine.if(
          handle.lt(among[half]!.handle),
          () => choose(among.slice(0, half)),
          () => choose(among.slice(half)),
        );
      }
    };
    choose(maps.toSorted((one, other) => one.handle - other.handle));
    const other = routines.ask(`${operation} elsewhere`, (of, at) => machine.mapAt(of)![operation](at >>> 0));
    routine.return(callOf(other, 'i32', handle, key));
    return routine;
  });
}

/** The operation on the map that a call gets, where that is known before the run, or that its first argument says. */
function operationOn(
  routines: Routines,
  { machine, map, args }: EmittedCall,
  operation: 'lookup' | 'delete',
): Expression | undefined {
  const [handle, key] = args as [Expression, Expression];
  if (map !== undefined) {
    const index = map.routines?.[operation]?.(routines);
    return index === undefined ? undefined : callOf(index, 'i32', key.narrow());
  }
  const index = byHandle(routines, machine, operation);
  return index === undefined ? undefined : callOf(index, 'i32', handle.narrow(), key.narrow());
}

const lookup = defineHelper({
  name: 'map_lookup_elem',
  id: 1,
  prototype: { args: ['map', 'key'], returns: 'value?', programTypes: 'all' },
  run: (_machine, map, key) => map.lookup(key),
  emit: (routines, call) => operationOn(routines, call, 'lookup')?.wide(),
});

const update = defineHelper({
  name: 'map_update_elem',
  id: 2,
  prototype: { args: ['map', 'key', 'value', 'u64'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, key, value, flags) => map.update(key, value, flags),
  emit(routines, { map, args: [, key, value, flags] }) {
    const index = map?.routines?.update?.(routines);
    return index === undefined ? undefined : callOf(index, 'i32', key!.narrow(), value!.narrow(), flags!).wideSigned();
  },
});

const remove = defineHelper({
  name: 'map_delete_elem',
  id: 3,
  prototype: { args: ['map', 'key'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, key) => map.delete(key),
  emit: (routines, call) => operationOn(routines, call, 'delete')?.wideSigned(),
});

const push = defineHelper({
  name: 'map_push_elem',
  id: 87,
  prototype: { args: ['map', 'value', 'u64'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, value, flags) => map.push?.(value, flags) ?? MISSING,
});

const pop = defineHelper({
  name: 'map_pop_elem',
  id: 88,
  prototype: { args: ['map', 'value-out'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, value) => map.pop?.(value) ?? MISSING,
});

const peek = defineHelper({
  name: 'map_peek_elem',
  id: 89,
  prototype: { args: ['map', 'value-out'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, value) => map.peek?.(value) ?? MISSING,
});

const lookupPerCpu = defineHelper({
  name: 'map_lookup_percpu_elem',
  id: 195,
  prototype: { args: ['map', 'key', 'u32'], returns: 'value?', programTypes: 'all' },
  run: (machine, map, key, cpu) => (cpu < machine.cpus ? (map.lookupPerCpu?.(key, cpu) ?? 0) : 0),
});

const forEach = defineHelper({
  name: 'for_each_map_elem',
  id: 164,
  prototype: { args: ['map', 'callback', 'stack?', 'u64'], returns: 'integer', programTypes: 'all' },
  run(machine, map, callback, context, flags) {
    if (flags !== 0n) return -ERRNO.EINVAL;
    const handle = BigInt(map.handle);
    const each = (key: number, value: number) => machine.call(callback, handle, BigInt(key), BigInt(value), context);
    return map.forEach?.(each) ?? -ERRNO.EINVAL;
  },
});

/** Executed by the runners themselves, since it changes what runs next; the prototype is for the verifier. */
const tailCall = defineHelper({
  name: 'tail_call',
  id: 12,
  prototype: { args: ['ctx', 'map', 'u32'], returns: 'void', programTypes: 'all' },
});

export const mapHelpers: readonly Helper[] = [lookup, update, remove, push, pop, peek, lookupPerCpu, forEach, tailCall];
