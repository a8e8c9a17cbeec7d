import { expect, it } from 'vitest';
import { sectionKind } from './section-names.ts';

it.each([
  ['xdp', 'xdp', 'xdp', ''],
  ['xdp.frags', 'xdp', 'xdp', 'frags'],
  ['xdp.frags/devmap', 'xdp', 'xdp_devmap', 'frags'],
  ['xdp/cpumap', 'xdp', 'xdp_cpumap', ''],
  ['?xdp', 'xdp', 'xdp', 'not loaded'],
  ['tc', 'sched_cls', null, ''],
  ['tcx/egress', 'sched_cls', 'tcx_egress', ''],
  ['classifier', 'sched_cls', null, ''],
  ['action', 'sched_act', null, ''],
  ['socket', 'socket_filter', null, ''],
  ['cgroup_skb/ingress', 'cgroup_skb', 'cgroup_inet_ingress', ''],
  ['cgroup/skb', 'cgroup_skb', null, ''],
  ['kprobe/do_exit', 'kprobe', null, ''],
  ['kprobe.multi/tcp_*', 'kprobe', 'trace_kprobe_multi', ''],
  ['fentry.s/do_exit', 'tracing', 'trace_fentry', 'sleepable'],
  ['raw_tracepoint.w/x', 'raw_tracepoint_writable', null, ''],
  ['struct_ops.s/init', 'struct_ops', null, 'sleepable'],
  ['sk_skb/stream_parser', 'sk_skb', 'sk_skb_stream_parser', ''],
  // From before libbpf 1.0.
  ['xdp_pass', 'xdp', 'xdp', ''],
  ['xdp/pass', 'xdp', 'xdp', ''],
  ['classifier/egress', 'sched_cls', null, ''],
  ['ingress', 'sched_cls', null, ''],
  ['socket1', 'socket_filter', null, ''],
  // No telling.
  ['prog', null, null, ''],
  ['xdpfilter', null, null, ''],
  ['kprobes', null, null, ''],
  ['perf_event/x', null, null, ''],
  ['.text', null, null, ''],
])('%s', (section, type, attachType, flag) => {
  expect(sectionKind(section)).toEqual({
    type,
    attachType,
    frags: flag === 'frags',
    sleepable: flag === 'sleepable',
    autoload: flag !== 'not loaded',
  });
});
