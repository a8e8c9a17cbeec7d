import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';

/** BPF_MAX_LOOPS of Linux. */
const MOST_ROUNDS = 8 * 1024 * 1024;

const loop = defineHelper({
  name: 'loop',
  id: 181,
  prototype: { args: ['u32', 'callback', 'stack?', 'u64'], returns: 'integer', programTypes: 'all' },
  run(machine, rounds, callback, context, flags) {
    if (flags !== 0n) return -ERRNO.EINVAL;
    if (rounds > MOST_ROUNDS) return -ERRNO.E2BIG;
    for (let i = 0; i < rounds; i++) if (machine.call(callback, BigInt(i), context) !== 0n) return i + 1;
    return rounds;
  },
});

export const loopHelpers: readonly Helper[] = [loop];
