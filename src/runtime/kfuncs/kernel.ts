import { defineKfunc, type Kfunc, type KfuncEffect } from '../../abi/kfunc.ts';
import { kfunc } from './define.ts';

const GENERIC = 'xdp sched_cls cgroup_skb';

/** Sections of code that the scheduler or RCU keep out of; the end of a program wherever it is. */
const border = (name: string, effect: KfuncEffect): Kfunc =>
  // One packet at a time runs to its end: there is nothing to keep out.
  defineKfunc({ name, programTypes: 'all', args: [], returns: 'void', effects: [effect], run: () => 0 });

const sections = [
  border('rcu_read_lock', 'rcu-lock'),
  border('rcu_read_unlock', 'rcu-unlock'),
  border('preempt_disable', 'preempt-disable'),
  border('preempt_enable', 'preempt-enable'),
  kfunc('throw', GENERIC, 'number', 'void', 'throws'),
];

/** Tasks, control groups, keys, maps. */
const objects = [
  kfunc('cgroup_from_id', GENERIC, 'number', '*cgroup?', 'acquires'),
  kfunc('cgroup_acquire', GENERIC, '&cgroup', '*cgroup?', 'acquires'),
  kfunc('cgroup_ancestor', GENERIC, '&cgroup number', '*cgroup?', 'acquires'),
  kfunc('cgroup_release', GENERIC, '*cgroup', 'void', 'releases'),
  kfunc('task_from_pid', GENERIC, 'number', '*task_struct?', 'acquires'),
  kfunc('task_from_vpid', GENERIC, 'number', '*task_struct?', 'acquires'),
  kfunc('task_acquire', GENERIC, '&task_struct', '*task_struct?', 'acquires'),
  kfunc('task_release', GENERIC, '*task_struct', 'void', 'releases'),
  kfunc('task_get_cgroup1', GENERIC, '*task_struct number', '*cgroup?', 'acquires'),
  kfunc('task_under_cgroup', GENERIC, '&task_struct &cgroup', 'integer'),
  kfunc('send_signal_task', GENERIC, '*task_struct number number number', 'integer'),
  kfunc('lookup_system_key', GENERIC, 'number', '*bpf_key?', 'acquires'),
  kfunc('key_put', GENERIC, '*bpf_key', 'void', 'releases'),
  kfunc('crypto_encrypt', 'xdp sched_cls sched_act', '&bpf_crypto_ctx dynptr dynptr dynptr?', 'integer'),
  kfunc('crypto_decrypt', 'xdp sched_cls sched_act', '&bpf_crypto_ctx dynptr dynptr dynptr?', 'integer'),
  kfunc('map_sum_elem_count', 'all', 'map', 'integer'),
  kfunc('cast_to_kern_ctx', 'all', 'ctx', 'kernel-context'),
];

/** Strings wherever they lie: an address that cannot be read is an error at run time. */
const strings = [
  kfunc('strcmp', 'all', 'unchecked unchecked', 'integer'),
  kfunc('strcasecmp', 'all', 'unchecked unchecked', 'integer'),
  kfunc('strchr', 'all', 'unchecked number', 'integer'),
  kfunc('strchrnul', 'all', 'unchecked number', 'integer'),
  kfunc('strnchr', 'all', 'unchecked number number', 'integer'),
  kfunc('strrchr', 'all', 'unchecked number', 'integer'),
  kfunc('strlen', 'all', 'unchecked', 'integer'),
  kfunc('strnlen', 'all', 'unchecked number', 'integer'),
  kfunc('strspn', 'all', 'unchecked unchecked', 'integer'),
  kfunc('strcspn', 'all', 'unchecked unchecked', 'integer'),
  kfunc('strstr', 'all', 'unchecked unchecked', 'integer'),
  kfunc('strnstr', 'all', 'unchecked unchecked number', 'integer'),
];

export const kernelKfuncs = [...sections, ...objects, ...strings];
