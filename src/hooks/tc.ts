import type { ProgramType } from '../abi/program-type.ts';
import { skbProgramType } from './skb.ts';
import { allBut, DIRECT_ACCESS } from './skb-fields.ts';
import { verdictNames } from './verdicts.ts';

/** TC_ACT_* of linux/pkt_cls.h. */
const verdicts = verdictNames({
  [-1]: 'TC_ACT_UNSPEC',
  0: 'TC_ACT_OK',
  1: 'TC_ACT_RECLASSIFY',
  2: 'TC_ACT_SHOT',
  3: 'TC_ACT_PIPE',
  4: 'TC_ACT_STOLEN',
  5: 'TC_ACT_QUEUED',
  6: 'TC_ACT_REPEAT',
  7: 'TC_ACT_REDIRECT',
  8: 'TC_ACT_TRAP',
});

const shared = {
  ...verdicts,
  readable: allBut(
    'flow_keys',
    'family',
    'remote_ip4',
    'local_ip4',
    'remote_ip6',
    'local_ip6',
    'remote_port',
    'local_port',
  ),
  writable: new Set(['mark', 'queue_mapping', 'priority', 'tc_index', 'cb', 'tc_classid', 'tstamp']),
  pointers: DIRECT_ACCESS,
  layer: 2,
} as const;

export const schedCls: ProgramType = skbProgramType({ ...shared, name: 'sched_cls', id: 3 });
export const schedAct: ProgramType = skbProgramType({ ...shared, name: 'sched_act', id: 4 });
