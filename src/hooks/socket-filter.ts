import type { ProgramType } from '../abi/program-type.ts';
import { skbProgramType } from './skb.ts';
import { allBut } from './skb-fields.ts';

const definition = {
  name: 'socket_filter',
  id: 1,
  // The return value is the number of bytes to keep; linux/filter.h has no names for them.
  verdict: (code: number) => (code === 0 ? 'DROP' : 'ACCEPT'),
  verdicts: ['DROP', 'ACCEPT'],
  readable: allBut(
    'tc_classid', 'data', 'data_end', 'data_meta', 'flow_keys', 'tstamp', 'tstamp_type', 'wire_len', 'hwtstamp', 'family',
    'remote_ip4', 'local_ip4', 'remote_ip6', 'local_ip6', 'remote_port', 'local_port',
  ), // biome-ignore format: a list
  writable: new Set(['cb']),
  pointers: { sk: 'sock-common?' } as const,
} as const;

/**
 * Where `socket_filter` programs of tcpdump and its like are attached: to a packet socket, which shows a packet from
 * its Ethernet header on. BPF_PROG_TEST_RUN shows it from layer 3, as a socket of IP does.
 */
export const PACKET_SOCKET = 'packet_socket';

export const socketFilter: ProgramType = {
  ...skbProgramType({ ...definition, layer: 3 }),
  attached: { [PACKET_SOCKET]: skbProgramType({ ...definition, layer: 2 }) },
};
