import type { ProgramType } from '../abi/program-type.ts';
import { skbProgramType } from './skb.ts';
import { allBut } from './skb-fields.ts';
import { verdictNames } from './verdicts.ts';

export const cgroupSkb: ProgramType = skbProgramType({
  name: 'cgroup_skb',
  id: 8,
  // 2 and 3 (egress only) also signal congestion, NET_XMIT_CN of linux/netdevice.h.
  ...verdictNames({ 0: 'DROP', 1: 'PASS', 2: 'DROP_CN', 3: 'PASS_CN' }),
  readable: allBut('tc_classid', 'data_meta', 'flow_keys', 'wire_len', 'tstamp_type'),
  writable: new Set(['mark', 'priority', 'cb', 'tstamp']),
  pointers: { data: 'packet', data_end: 'packet-end', sk: 'sock-common?' },
  layer: 3,
});
