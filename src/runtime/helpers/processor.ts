import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, i64, Routine, type Variable } from '../../wasm/expression.ts';

const random = defineHelper({
  name: 'get_prandom_u32',
  id: 7,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: (machine) => machine.random.u32(),
  emit: (routines) =>
    callOf(
      routines.once('random', () => randomRoutine(routines)),
      'i32',
    ).wide(),
});

const processor = defineHelper({
  name: 'get_smp_processor_id',
  id: 8,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: (machine) => machine.cpu,
  emit: (routines) => routines.slot('cpu').load().wide(),
});

/** The virtual host has one node. */
const numaNode = defineHelper({
  name: 'get_numa_node_id',
  id: 42,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: () => 0,
  emit: () => i64(0),
});

/** The next number of base/random.ts. */
function randomRoutine(routines: Routines): Routine {
  const routine = new Routine([], ['i32']);
  const state = routines.slot('random');
  const [a, b, c, counter] = [0, 4, 8, 12].map((offset) => routine.let(state.load(offset))) as [
    Variable,
    Variable,
    Variable,
    Variable,
  ];
  const sum = routine.let(a.add(b).add(counter));
  routine.store(state, b.xor(b.shr(9)));
  routine.store(state, c.add(c.shl(3)), 4);
  routine.store(state, c.rotl(21).add(sum), 8);
  routine.store(state, counter.add(1), 12);
  routine.return(sum);
  return routine;
}

export const processorHelpers: readonly Helper[] = [random, processor, numaNode];
