import type { ProgramType } from '../abi/program-type.ts';
import { skbProgramType } from './skb.ts';
import { allBut } from './skb-fields.ts';
import { verdictNames } from './verdicts.ts';

const shared = {
  // enum bpf_ret_code of linux/bpf.h.
  ...verdictNames({ 0: 'BPF_OK', 2: 'BPF_DROP', 7: 'BPF_REDIRECT', 128: 'BPF_LWT_REROUTE' }),
  readable: allBut(
    'tc_classid', 'data_meta', 'flow_keys', 'tstamp', 'tstamp_type', 'wire_len', 'hwtstamp', 'family', 'remote_ip4', 'local_ip4',
    'remote_ip6', 'local_ip6', 'remote_port', 'local_port',
  ), // biome-ignore format: a list
  writable: new Set(['mark', 'priority', 'cb']),
  pointers: { data: 'packet', data_end: 'packet-end', sk: 'sock-common?' },
  layer: 3,
} as const;

export const lwtIn: ProgramType = skbProgramType({ ...shared, name: 'lwt_in', id: 10 });
export const lwtOut: ProgramType = skbProgramType({ ...shared, name: 'lwt_out', id: 11 });
export const lwtXmit: ProgramType = skbProgramType({ ...shared, name: 'lwt_xmit', id: 12 });
