import { BPF_SOCK, offsetIn, SK_BUFF } from '../abi/context.ts';
import type { Machine } from '../abi/machine.ts';
import type { Arrival, ProgramType } from '../abi/program-type.ts';
import { ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER, protocolAt } from '../base/ethernet.ts';
import { i32, i64, op } from '../wasm/body.ts';
import { writeSkbEnter } from './skb-entry.ts';
import {
  ADDRESSES,
  AF_INET,
  AF_INET6,
  BEYOND,
  HEADROOM,
  NET_SKB_PAD,
  PACKET_HOST,
  PACKET_MULTICAST,
  PACKET_OTHERHOST,
  TAILROOM,
  TCP_CLOSE,
} from './skb-layout.ts';

const LEN = offsetIn(SK_BUFF, 'len');
const PKT_TYPE = offsetIn(SK_BUFF, 'pkt_type');
const QUEUE_MAPPING = offsetIn(SK_BUFF, 'queue_mapping');
const PROTOCOL = offsetIn(SK_BUFF, 'protocol');
const IFINDEX = offsetIn(SK_BUFF, 'ifindex');
const TC_INDEX = offsetIn(SK_BUFF, 'tc_index');
const TC_CLASSID = offsetIn(SK_BUFF, 'tc_classid');
const DATA = offsetIn(SK_BUFF, 'data');
const DATA_END = offsetIn(SK_BUFF, 'data_end');
const FAMILY = offsetIn(SK_BUFF, 'family');
const DATA_META = offsetIn(SK_BUFF, 'data_meta');
const WIRE_LEN = offsetIn(SK_BUFF, 'wire_len');
const SK = offsetIn(SK_BUFF, 'sk');
const SOCK_FAMILY = offsetIn(BPF_SOCK, 'family');
const SOCK_STATE = offsetIn(BPF_SOCK, 'state');
/** linux/netdevice.h keeps a queue number plus one in 16 bits. */
const NO_QUEUE_MAPPING = 0xffff;

/** What the program types over an sk_buff have in common. `layer`: where the packet of this type starts. */
export function skbProgramType(
  definition: Pick<
    ProgramType,
    'name' | 'id' | 'verdict' | 'verdicts' | 'readable' | 'writable' | 'pointers' | 'layer'
  >,
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
    writeEnter: (entry) => writeSkbEnter(entry, layer),
    stored,
    sync,
    leave({ packet, memory }) {
      if (layer === 2) return packet.data;
      // Types that see no Ethernet header give one of zeroes back.
      memory.u8.fill(0, packet.data - ETHERNET_HEADER, packet.data);
      return packet.data - ETHERNET_HEADER;
    },
    writeLeave: ({ body, memory, data }) => {
      if (layer === 2) return data;
      const start = op('i32.sub', data, i32(ETHERNET_HEADER));
      body.store('i64.store', start, 0, i64(0), memory);
      body.store('i64.store', start, ETHERNET_HEADER - 8, i64(0), memory);
      return start;
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
  const { skb } = packet;
  skb.head = start - NET_SKB_PAD;
  skb.macHeader = start;
  skb.networkHeader = network;
  skb.macLength = 0;
  skb.transportHeader = 0;
  skb.ipSummed = 0;
  skb.csumLevel = 0;
  skb.encapsulation = false;
  skb.gsoType = 0;
  skb.hashIsValid = false;
  skb.tunnel = null;

  // Where a helper looks beyond a short packet's end, it finds zeroes and not an earlier packet.
  u8.fill(0, packet.end, packet.end + BEYOND);
  u8.fill(0, context, context + SK_BUFF.size);
  u8.fill(0, socket, socket + BPF_SOCK.size);
  view.setUint16(context + PROTOCOL, protocolAt(view, start + 12, packet.end));
  view.setUint32(context + PKT_TYPE, packetType(u8, start), true);
  view.setUint32(context + IFINDEX, arrival.ifindex, true);
  view.setUint32(context + SK, socket, true);
  view.setUint32(socket + SOCK_STATE, TCP_CLOSE, true);
  const family = addressFamily(view.getUint16(start + 12), packet.end - network);
  view.setUint32(context + FAMILY, family, true);
  view.setUint32(socket + SOCK_FAMILY, family, true);
  const addresses = ADDRESSES[family];
  if (addresses === undefined) return;
  const { bytes, places } = addresses;
  for (const [from, inContext, inSocket] of places) {
    u8.copyWithin(context + inContext, network + from, network + from + bytes);
    u8.copyWithin(socket + inSocket, network + from, network + from + bytes);
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
  const { view } = memory;
  view.setUint32(context + LEN, packet.end - packet.data, true);
  view.setUint32(context + DATA, packet.data, true);
  view.setUint32(context + DATA_END, packet.linearEnd, true);
  view.setUint32(context + DATA_META, packet.meta, true);
  view.setUint32(context + WIRE_LEN, 0, true);
}
