import {
  ETHERTYPE,
  EXTENSION_HEADERS,
  FRAGMENT_HEADER,
  IPV4_HEADER,
  IPV6_HEADER,
  PROTOCOL,
  SMALLEST_ETHERTYPE,
  VLAN_TYPES,
} from '../../capture/protocols.ts';
import { type Body, either, i32, type Local, load, op, type Value } from '../../wasm/body.ts';

const TYPE_AT = 12;
const swap = (type: number): number => (type >> 8) | ((type & 0xff) << 8);
const anyOf = (value: Value, numbers: readonly number[]): Value =>
  numbers.map((number) => op('i32.eq', value, i32(number))).reduce((one, other) => op('i32.or', one, other));

interface ProtocolLocals {
  /** Number of the memory in which the frame lies. */
  readonly memory: number;
  readonly start: Local;
  /** Where the captured bytes end. */
  readonly end: Local;
  readonly protocol: Local;
  /** For the time being. */
  readonly at: Local;
  readonly type: Local;
}

/** Writes what `protocolOf` of capture/protocols.ts tells of a frame of at least an Ethernet header. */
export function writeProtocol(body: Body, { memory, start, end, protocol, at, type }: ProtocolLocals): void {
  const byte = (offset: number) => load('i32.load8_u', at, offset, memory);
  const typeAt = (offset: number) => op('i32.or', op('i32.shl', byte(offset), i32(8)), byte(offset + 1));
  const swapped = (value: Value) =>
    op('i32.or', op('i32.shl', op('i32.and', value, i32(0xff)), i32(8)), op('i32.shr_u', value, i32(8)));
  const within = (bytes: number) => op('i32.le_u', op('i32.add', at, i32(bytes)), end);
  // As it lies, with the bytes swapped: what most packets are is known by it.
  body.set(type, load('i32.load16_u', start, TYPE_AT, memory));
  body.set(at, op('i32.add', start, i32(TYPE_AT + 2)));
  const isIp = (etherType: number, header: number) => op('i32.and', op('i32.eq', type, i32(etherType)), within(header));
  const ipv4 = () => body.set(protocol, op('i32.add', byte(9), i32(PROTOCOL.IPV4)));
  // What most packets are comes first.
  body.if(isIp(swap(ETHERTYPE.IPV4), IPV4_HEADER), ipv4, () => {
    body.set(type, swapped(type));
    body.loop((again) =>
      body.if(anyOf(type, VLAN_TYPES), () => {
        body.set(type, either('i32', within(4), typeAt(2), i32(PROTOCOL.NONE)));
        body.set(at, op('i32.add', at, i32(4)));
        body.branch(again);
      }),
    );
    body.set(protocol, either('i32', op('i32.lt_u', type, i32(SMALLEST_ETHERTYPE)), i32(PROTOCOL.LENGTH), type));
    body.if(isIp(ETHERTYPE.IPV4, IPV4_HEADER), ipv4);
    body.if(isIp(ETHERTYPE.IPV6, IPV6_HEADER), () => ipv6(body, { memory, end, protocol, at, type }));
  });
}

/** The protocol behind the extension headers as far as they were captured. */
function ipv6(body: Body, { memory, end, protocol, at, type }: Omit<ProtocolLocals, 'start'>): void {
  const byte = (offset: number) => load('i32.load8_u', at, offset, memory);
  body.set(protocol, byte(6));
  body.set(at, op('i32.add', at, i32(IPV6_HEADER)));
  body.loop((again) => {
    const isWithin = op('i32.le_u', op('i32.add', at, i32(8)), end);
    body.if(op('i32.and', anyOf(protocol, EXTENSION_HEADERS), isWithin), () => {
      const length = op('i32.add', op('i32.shl', byte(1), i32(3)), i32(8));
      body.set(type, either('i32', op('i32.eq', protocol, i32(FRAGMENT_HEADER)), i32(8), length));
      body.set(protocol, byte(0));
      body.set(at, op('i32.add', at, type));
      body.branch(again);
    });
  });
  body.set(protocol, op('i32.add', protocol, i32(PROTOCOL.IPV6)));
}
