import { defineHelper, type Helper } from '../../abi/helper.ts';

const random = defineHelper({
  name: 'get_prandom_u32',
  id: 7,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: (machine) => machine.random.u32(),
});

const processor = defineHelper({
  name: 'get_smp_processor_id',
  id: 8,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: (machine) => machine.cpu,
});

/** The virtual host has one node. */
const numaNode = defineHelper({
  name: 'get_numa_node_id',
  id: 42,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: () => 0,
});

/** One program runs at a time: a lock is always free. */
const lock = defineHelper({
  name: 'spin_lock',
  id: 93,
  prototype: { args: ['spin-lock'], returns: 'void', programTypes: 'all' },
  run: () => 0,
});

const unlock = defineHelper({
  name: 'spin_unlock',
  id: 94,
  prototype: { args: ['spin-lock'], returns: 'void', programTypes: 'all' },
  run: () => 0,
});

export const processorHelpers: readonly Helper[] = [random, processor, numaNode, lock, unlock];
