import { defineHelper, type Helper } from '../../abi/helper.ts';
import { callOf, Routine, type Variable } from '../../wasm/expression.ts';
import { acquire, acquireCode, clear, writeClear } from '../memory/lock.ts';

/** Where one program runs at a time a lock is always free; it is a real one where threads share the memory. */
const lock = defineHelper({
  name: 'spin_lock',
  id: 93,
  prototype: { args: ['spin-lock'], returns: 'void', programTypes: 'all' },
  run(machine, address) {
    const { shared } = machine.memory;
    if (shared === undefined) return 0;
    acquire(shared, address);
    machine.heldLock = address;
    return 0;
  },
  emit(routines, { machine, args: [address] }) {
    if (machine.memory.shared === undefined) return undefined;
    const index = routines.once('spin lock', () => {
      const routine = new Routine(['i32'], ['i32']);
      const [at] = routine.parameters as [Variable];
      routine.do(acquireCode(routines), at);
      routine.store(routines.slot('heldLock'), at);
      routine.return(0);
      return routine;
    });
    return callOf(index, 'i32', address!.narrow()).wide();
  },
});

const unlock = defineHelper({
  name: 'spin_unlock',
  id: 94,
  prototype: { args: ['spin-lock'], returns: 'void', programTypes: 'all' },
  run(machine, address) {
    const { shared } = machine.memory;
    if (shared === undefined) return 0;
    machine.heldLock = 0;
    clear(shared, address);
    return 0;
  },
  emit(routines, { machine, args: [address] }) {
    if (machine.memory.shared === undefined) return undefined;
    const index = routines.once('spin unlock', () => {
      const routine = new Routine(['i32'], ['i32']);
      const [at] = routine.parameters as [Variable];
      routine.store(routines.slot('heldLock'), 0);
      writeClear(routine, at);
      routine.return(0);
      return routine;
    });
    return callOf(index, 'i32', address!.narrow()).wide();
  },
});

export const spinLockHelpers: readonly Helper[] = [lock, unlock];
