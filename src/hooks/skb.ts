import { BPF_SOCK, offsetIn, SK_BUFF } from '../abi/context.ts';
import type { Machine } from '../abi/machine.ts';
import type { Arrival, ProgramType } from '../abi/program-type.ts';
import { ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER, protocolAt } from '../base/ethernet.ts';

/** Room for `bpf_skb_change_head` and `bpf_skb_adjust_room`, which grow a packet to 16,064 bytes at most. */
const HEADROOM = 16384;
const TAILROOM = 16384;
/** The Ethernet and IPv6 headers, rounded up. */
const BEYOND = 64;

/** Headroom with which BPF_PROG_TEST_RUN starts. */
const NET_SKB_PAD = 64;
const AF_INET = 2;
const AF_INET6 = 10;
const TCP_CLOSE = 7;
const PACKET_HOST = 0;
const PACKET_MULTICAST = 2;
const PACKET_OTHERHOST = 3;

const at = Object.fromEntries(SK_BUFF.fields.map((field) => [field.name, field.offset])) as Record<string, number>;
const LEN = at.len!;
const DATA = at.data!;
const DATA_END = at.data_end!;
const DATA_META = at.data_meta!;
const WIRE_LEN = at.wire_len!;
const TC_INDEX = at.tc_index!;
const TC_CLASSID = at.tc_classid!;
const QUEUE_MAPPING = at.queue_mapping!;
/** linux/netdevice.h keeps a queue number plus one in 16 bits. */
const NO_QUEUE_MAPPING = 0xffff;

/** What the program types over an sk_buff have in common. `layer`: where the packet of this type starts. */
export function skbProgramType(
  definition: Pick<ProgramType, 'name' | 'id' | 'verdict' | 'readable' | 'writable' | 'pointers' | 'layer'>,
): ProgramType {
  const { layer } = definition;
  return {
    ...definition,
    context: SK_BUFF,
    headroom: HEADROOM,
    enter(machine, arrival) {
      if (machine.packet.end - machine.packet.data < ETHERNET_HEADER) return 'shorter than an Ethernet header';
      enterSkb(machine, arrival, layer);
      sync(machine);
      return undefined;
    },
    stored,
    sync,
    leave({ packet, memory }) {
      if (layer === 2) return packet.data;
      // Types that see no Ethernet header give one of zeroes back.
      memory.u8.fill(0, packet.data - ETHERNET_HEADER, packet.data);
      return packet.data - ETHERNET_HEADER;
    },
  };
}

function enterSkb({ packet, memory, context, socket }: Machine, arrival: Arrival, layer: 2 | 3): void {
  const { view, u8 } = memory;
  const start = packet.data;
  const network = start + ETHERNET_HEADER;
  packet.head = start - HEADROOM;
  packet.limit = packet.end + TAILROOM;
  packet.linearEnd = packet.end;
  if (layer === 3) packet.data = network;
  packet.meta = packet.data;
  Object.assign(packet.skb, {
    head: start - NET_SKB_PAD,
    macHeader: start,
    networkHeader: network,
    macLength: 0,
    transportHeader: 0,
    ipSummed: 0,
    csum: 0,
    csumLevel: 0,
    encapsulation: false,
    gsoType: 0,
    hashIsValid: false,
    tunnel: null,
  });

  // Where a helper looks beyond a short packet's end, it finds zeroes and not an earlier packet.
  u8.fill(0, packet.end, packet.end + BEYOND);
  u8.fill(0, context, context + SK_BUFF.size);
  u8.fill(0, socket, socket + BPF_SOCK.size);
  const set = (field: string, value: number) => view.setUint32(context + at[field]!, value, true);
  const etherType = view.getUint16(start + 12);
  // In network byte order, in the low 16 bits: as Linux keeps `skb->protocol`.
  const protocol = protocolAt(view, start + 12, packet.end);
  set('protocol', ((protocol & 0xff) << 8) | (protocol >> 8));
  set('pkt_type', packetType(u8, start));
  set('ifindex', arrival.ifindex);
  set('sk', socket);
  view.setUint32(socket + offsetIn(BPF_SOCK, 'state'), TCP_CLOSE, true);
  const family = addressFamily(etherType, packet.end - network);
  set('family', family);
  view.setUint32(socket + offsetIn(BPF_SOCK, 'family'), family, true);
  // Test-run makes the packet's own addresses those of its socket: the source is local, the destination remote.
  if (family === AF_INET) {
    copy(memory.u8, network + 12, [context + at.local_ip4!, socket + offsetIn(BPF_SOCK, 'src_ip4')], 4);
    copy(memory.u8, network + 16, [context + at.remote_ip4!, socket + offsetIn(BPF_SOCK, 'dst_ip4')], 4);
  } else if (family === AF_INET6) {
    copy(memory.u8, network + 8, [context + at.local_ip6!, socket + offsetIn(BPF_SOCK, 'src_ip6')], 16);
    copy(memory.u8, network + 24, [context + at.remote_ip6!, socket + offsetIn(BPF_SOCK, 'dst_ip6')], 16);
  }
}

function addressFamily(etherType: number, length: number): number {
  if (etherType === ETH_P_IP && length >= 20) return AF_INET;
  if (etherType === ETH_P_IPV6 && length >= 40) return AF_INET6;
  return 0;
}

/** As the loopback device of test-run sees it: its own address is all zeroes, and so is its broadcast address. */
function packetType(u8: Uint8Array, destination: number): number {
  if ((u8[destination]! & 1) === 1) return PACKET_MULTICAST;
  for (let i = 0; i < 6; i++) if (u8[destination + i] !== 0) return PACKET_OTHERHOST;
  return PACKET_HOST;
}

function copy(u8: Uint8Array, from: number, to: readonly number[], bytes: number): void {
  for (const address of to) u8.copyWithin(address, from, from + bytes);
}

/** Linux keeps these in 16 bits; the largest queue number stands for none, and nothing from it on is taken. */
function stored(offset: number, value: number, old: number): number {
  switch (offset) {
    case TC_INDEX:
    case TC_CLASSID:
      return value & 0xffff;
    case QUEUE_MAPPING:
      return value < NO_QUEUE_MAPPING ? value : old;
    default:
      return value;
  }
}

function sync({ packet, memory, context }: Machine): void {
  packet.region.start = packet.meta;
  packet.region.end = packet.linearEnd;
  const { view } = memory;
  view.setUint32(context + LEN, packet.end - packet.data, true);
  view.setUint32(context + DATA, packet.data, true);
  view.setUint32(context + DATA_END, packet.linearEnd, true);
  view.setUint32(context + DATA_META, packet.meta, true);
  view.setUint32(context + WIRE_LEN, 0, true);
}
