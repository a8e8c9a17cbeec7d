import { BPF_SOCK, offsetIn, SK_BUFF } from '../abi/context.ts';
import type { EntryCode } from '../abi/program-type.ts';
import { ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER } from '../base/ethernet.ts';
import { either, i32, load, op, type Value } from '../wasm/body.ts';
import { zero } from './entry.ts';
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

/** A constant of 16 bits as it lies in a packet. */
const network16 = (value: number) => i32(((value & 0xff) << 8) | (value >> 8));
const LEAST_ETHER_TYPE = 0x600;

/** What `enterSkb` and `sync` of skb.ts do, as generated code. */
export function writeSkbEnter(entry: EntryCode, layer: 2 | 3): void {
  const { body, memory, context, socket, start, end, arrival, setEdge, setSkb } = entry;
  const network = start + ETHERNET_HEADER;
  const data = layer === 3 ? network : start;
  setEdge('head', i32(start - HEADROOM));
  setEdge('limit', op('i32.add', end, i32(TAILROOM)));
  setEdge('linearEnd', end);
  setEdge('data', i32(data));
  setEdge('meta', i32(data));
  setSkb('head', i32(start - NET_SKB_PAD));
  setSkb('macHeader', i32(start));
  setSkb('networkHeader', i32(network));
  for (const name of ZERO_AT_FIRST) setSkb(name, i32(0));

  zero(body, end, BEYOND, memory);
  zero(body, i32(context), SK_BUFF.size, memory);
  zero(body, i32(socket), BPF_SOCK.size, memory);
  const frame = (name: 'i32.load8_u' | 'i32.load16_u' | 'i32.load' | 'v128.load', offset: number) =>
    load(name, i32(0), start + offset, memory);
  const setField = (name: string, value: Value) =>
    body.store('i32.store', i32(0), context + offsetIn(SK_BUFF, name), value, memory);
  const etherType = frame('i32.load16_u', 12);
  setField('protocol', protocol(frame, end, start));
  setField('pkt_type', packetType(frame));
  setField('ifindex', i32(arrival.ifindex));
  setField('sk', i32(socket));
  setField('len', op('i32.sub', end, i32(data)));
  setField('data', i32(data));
  setField('data_end', end);
  setField('data_meta', i32(data));
  body.store('i32.store', i32(0), socket + offsetIn(BPF_SOCK, 'state'), i32(TCP_CLOSE), memory);
  const family = (etherTypeOf: number, header: number, number: number) =>
    body.if(
      op(
        'i32.and',
        op('i32.eq', etherType, network16(etherTypeOf)),
        op('i32.ge_u', op('i32.sub', end, i32(network)), i32(header)),
      ),
      () => {
        setField('family', i32(number));
        body.store('i32.store', i32(0), socket + offsetIn(BPF_SOCK, 'family'), i32(number), memory);
        const { bytes, places } = ADDRESSES[number]!;
        const [loads, stores] =
          bytes === 16 ? (['v128.load', 'v128.store'] as const) : (['i32.load', 'i32.store'] as const);
        for (const [from, inContext, inSocket] of places) {
          for (const to of [context + inContext, socket + inSocket]) {
            body.store(stores, i32(0), to, frame(loads, ETHERNET_HEADER + from), memory);
          }
        }
      },
    );
  family(ETH_P_IP, 20, AF_INET);
  family(ETH_P_IPV6, 40, AF_INET6);
}

const ZERO_AT_FIRST = [
  'macLength', 'transportHeader', 'ipSummed', 'csumLevel', 'encapsulation', 'gsoType', 'hashIsValid', 'tunnel',
] as const; // biome-ignore format: a list

type FrameLoad = (name: 'i32.load8_u' | 'i32.load16_u' | 'i32.load', offset: number) => Value;

/** As `protocolAt` of base/ethernet.ts tells it, in network byte order. */
function protocol(frame: FrameLoad, end: Value, start: number): Value {
  const type = frame('i32.load16_u', 12);
  const bigEndian = op('i32.or', op('i32.shl', frame('i32.load8_u', 12), i32(8)), frame('i32.load8_u', 13));
  const isRaw = op(
    'i32.and',
    op('i32.le_u', i32(start + 16), end),
    op('i32.eq', frame('i32.load16_u', 14), i32(0xffff)),
  );
  return either(
    'i32',
    op('i32.ge_u', bigEndian, i32(LEAST_ETHER_TYPE)),
    type,
    either('i32', isRaw, network16(1), network16(4)),
  );
}

/** As `packetType` of skb.ts tells it. */
function packetType(frame: FrameLoad): Value {
  const isZero = op('i32.eqz', op('i32.or', frame('i32.load', 0), frame('i32.load16_u', 4)));
  return either(
    'i32',
    op('i32.and', frame('i32.load8_u', 0), i32(1)),
    i32(PACKET_MULTICAST),
    either('i32', isZero, i32(PACKET_HOST), i32(PACKET_OTHERHOST)),
  );
}
