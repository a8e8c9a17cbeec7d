import { BPF_SOCK, offsetIn, SK_BUFF } from '../abi/context.ts';

/** Room for `bpf_skb_change_head` and `bpf_skb_adjust_room`, which grow a packet to 16,064 bytes at most. */
export const HEADROOM = 16384;
export const TAILROOM = 16384;
/** The Ethernet and IPv6 headers, rounded up. */
export const BEYOND = 64;

/** Headroom with which BPF_PROG_TEST_RUN starts. */
export const NET_SKB_PAD = 64;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const TCP_CLOSE = 7;
export const PACKET_HOST = 0;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;

/**
 * Test-run makes the packet's own addresses those of its socket: the source is local, the destination remote. Offsets
 * in the IP header, the context and the socket.
 */
export const ADDRESSES: Readonly<
  Record<number, { bytes: number; places: readonly (readonly [number, number, number])[] }>
> = {
  [AF_INET]: {
    bytes: 4,
    places: [
      [12, offsetIn(SK_BUFF, 'local_ip4'), offsetIn(BPF_SOCK, 'src_ip4')],
      [16, offsetIn(SK_BUFF, 'remote_ip4'), offsetIn(BPF_SOCK, 'dst_ip4')],
    ],
  },
  [AF_INET6]: {
    bytes: 16,
    places: [
      [8, offsetIn(SK_BUFF, 'local_ip6'), offsetIn(BPF_SOCK, 'src_ip6')],
      [24, offsetIn(SK_BUFF, 'remote_ip6'), offsetIn(BPF_SOCK, 'dst_ip6')],
    ],
  },
};
