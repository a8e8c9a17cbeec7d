import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { callOf } from '../../wasm/expression.ts';

/** The verifier lets no program call an operation that the map's type lacks; unverified ones get Linux's answer for it. */
const MISSING = -ERRNO.EOPNOTSUPP;

const lookup = defineHelper({
  name: 'map_lookup_elem',
  id: 1,
  prototype: { args: ['map', 'key'], returns: 'value?', programTypes: 'all' },
  run: (_machine, map, key) => map.lookup(key),
  emit(routines, { map, args: [, key] }) {
    const index = map?.routines?.lookup?.(routines);
    return index === undefined ? undefined : callOf(index, 'i32', key!.narrow()).wide();
  },
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
  emit(routines, { map, args: [, key] }) {
    const index = map?.routines?.delete?.(routines);
    return index === undefined ? undefined : callOf(index, 'i32', key!.narrow()).wideSigned();
  },
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
