import { ERRNO } from '../../abi/errno.ts';
import { defineKfunc, type Kfunc } from '../../abi/kfunc.ts';

/** Rounds that an iterator may make at most (BPF_MAX_LOOPS of Linux: 8 Mi). */
const MOST_ROUNDS = 8 * 1024 * 1024;

/** In the 8 bytes of a `struct bpf_iter_num`, into which programs cannot look: the number before the next, and the end. */
const END = 4;

const create = defineKfunc({
  name: 'iter_num_new',
  programTypes: 'all',
  args: ['iterator', 's32', 's32'],
  returns: 'integer',
  effects: ['under-lock'],
  run({ memory: { view } }, at, start, end) {
    view.setBigUint64(at, 0n, true);
    if (start > end) return -ERRNO.EINVAL;
    if (end - start > MOST_ROUNDS) return -ERRNO.E2BIG;
    view.setInt32(at, start - 1, true);
    view.setInt32(at + END, end, true);
    return 0;
  },
});

/** The number lies in the iterator itself. */
const next = defineKfunc({
  name: 'iter_num_next',
  programTypes: 'all',
  args: ['iterator'],
  returns: 'iterated?',
  effects: ['under-lock'],
  run({ memory: { view } }, at) {
    const number = (view.getInt32(at, true) + 1) | 0;
    if (number >= view.getInt32(at + END, true)) {
      view.setBigUint64(at, 0n, true);
      return 0;
    }
    view.setInt32(at, number, true);
    return at;
  },
});

const destroy = defineKfunc({
  name: 'iter_num_destroy',
  programTypes: 'all',
  args: ['iterator'],
  returns: 'void',
  effects: ['under-lock'],
  run({ memory: { view } }, at) {
    view.setBigUint64(at, 0n, true);
    return 0;
  },
});

export const iteratorKfuncs: readonly Kfunc[] = [create, next, destroy];
