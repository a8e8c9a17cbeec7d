import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Family, Interface } from '../../abi/interfaces.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Flow, Path, Unroutable } from '../../abi/routes.ts';
import { XDP_TC } from './program-types.ts';

/** BPF_FIB_LOOKUP_* of linux/bpf.h. */
const FLAGS = { direct: 1, output: 2, skipNeighbour: 4, table: 8, source: 16, mark: 32 } as const;
const ALL_FLAGS = Object.values(FLAGS).reduce((all, flag) => all | flag, 0);

/** BPF_FIB_LKUP_RET_* of linux/bpf.h. */
const ANSWER = {
  success: 0,
  blackhole: 1,
  unreachable: 2,
  prohibit: 3,
  none: 4,
  forwardingDisabled: 5,
  encapsulates: 6,
  noNeighbour: 7,
  tooLong: 8,
  noSource: 9,
} as const satisfies Record<Unroutable, number> & Record<string, number>;

/** Offsets in `struct bpf_fib_lookup`, 64 bytes; what the helper writes lies where the question was. */
const FIELD = {
  family: 0,
  protocol: 1,
  sourcePort: 2,
  destinationPort: 4,
  /** Length of the packet before, MTU afterwards. */
  length: 6,
  ifindex: 8,
  /** Type of service (IPv4) or flow information (IPv6) before, metric of the route afterwards. */
  tos: 12,
  source: 16,
  destination: 32,
  /** Table before, VLAN afterwards. */
  table: 48,
  /** Mark before, MAC addresses afterwards. */
  mark: 52,
  sourceMac: 52,
  destinationMac: 58,
} as const;
const SIZE = 64;

/** AF_INET, AF_INET6. */
const FAMILIES: Readonly<Record<number, Family>> = { 2: 4, 10: 6 };
const AF_INET6 = 10;
/** LOOPBACK_IFINDEX: where packets of the host's own come from. */
const LOOPBACK = 1;
const GSO_SIZE = offsetIn(SK_BUFF, 'gso_size');
const VLAN_TAG = 4;

const fibLookup = defineHelper({
  name: 'fib_lookup',
  id: 69,
  prototype: { args: ['ctx', 'mem-out', 'size', 'u32'], returns: 'integer', programTypes: XDP_TC, gplOnly: true },
  run(machine, context, params, size, flags) {
    if (size < SIZE || (flags & ~ALL_FLAGS) !== 0) return -ERRNO.EINVAL;
    const { view } = machine.memory;
    const family = FAMILIES[view.getUint8(params + FIELD.family)];
    if (family === undefined) return -ERRNO.EAFNOSUPPORT;
    if (family === 6 && staysOnLink(view, params)) return ANSWER.none;
    const from = machine.interfaces.get(view.getUint32(params + FIELD.ifindex, true));
    if (from === undefined) return -ERRNO.ENODEV;
    if (!from.forwards[family]) return ANSWER.forwardingDisabled;

    const flow = readFlow(view, params, family, from, flags);
    if ((flags & FLAGS.direct) !== 0 && (flags & FLAGS.table) !== 0) view.setUint32(params + FIELD.table, 0, true);
    const path = machine.routes.route(flow);
    if (typeof path === 'string') return ANSWER[path];
    const length = view.getUint16(params + FIELD.length, true);
    if (length > path.mtu) {
      view.setUint16(params + FIELD.length, path.mtu, true);
      return ANSWER.tooLong;
    }
    if (path.encapsulates) return ANSWER.encapsulates;
    const answer = writePath(machine, params, flow, path, flags);
    if (answer !== ANSWER.success) return answer;
    view.setUint32(params + FIELD.table, 0, true);
    const isMeasured = machine.programType.name !== 'xdp' && length === 0;
    view.setUint16(params + FIELD.length, isMeasured ? path.interface.mtu : path.mtu, true);
    if (!isMeasured) return ANSWER.success;
    return isForwardable(machine, context, path.interface) ? ANSWER.success : ANSWER.tooLong;
  },
});

/** Whether IPv6 forwards no packet of these addresses: multicast, link-local and loopback ones. */
function staysOnLink(view: DataView, params: number): boolean {
  return [FIELD.source, FIELD.destination].some((offset) => {
    const first = view.getUint16(params + offset);
    const isLoopback = first === 0 && readAddress(view, params + offset, 6) === 1n;
    return first >> 8 === 0xff || (first & 0xffc0) === 0xfe80 || isLoopback;
  });
}

function readFlow(view: DataView, params: number, family: Family, from: Interface, flags: number): Flow {
  const has = (flag: number) => (flags & flag) !== 0;
  const isOutput = has(FLAGS.output);
  const table = has(FLAGS.table) ? view.getUint32(params + FIELD.table, true) : 0;
  return {
    family,
    table: has(FLAGS.direct) ? table : undefined,
    input: isOutput ? LOOPBACK : from.ifindex,
    output: isOutput ? from.ifindex : 0,
    tos: family === 4 ? view.getUint8(params + FIELD.tos) : (view.getUint32(params + FIELD.tos) >>> 20) & 0xff,
    protocol: view.getUint8(params + FIELD.protocol),
    sourcePort: view.getUint16(params + FIELD.sourcePort),
    destinationPort: view.getUint16(params + FIELD.destinationPort),
    mark: has(FLAGS.mark) ? view.getUint32(params + FIELD.mark, true) : 0,
    source: readAddress(view, params + FIELD.source, family),
    destination: readAddress(view, params + FIELD.destination, family),
  };
}

/** Writes where the packet goes, as far as it is known. */
function writePath(machine: Machine, params: number, flow: Flow, path: Path, flags: number): number {
  const { memory, routes } = machine;
  const { view, u8 } = memory;
  const { gateway, metric, interface: to } = path;
  view.setUint32(params + FIELD.tos, metric, true);
  view.setUint32(params + FIELD.ifindex, to.ifindex, true);
  if ((flags & FLAGS.source) !== 0) {
    const source = routes.source(path, flow);
    if (source === undefined && flow.family === 6) return ANSWER.noSource;
    writeAddress(view, params + FIELD.source, flow.family, source ?? 0n);
  }
  if (gateway !== undefined) {
    if (gateway.family !== flow.family) view.setUint8(params + FIELD.family, AF_INET6);
    writeAddress(view, params + FIELD.destination, gateway.family, gateway.address);
  }
  if ((flags & FLAGS.skipNeighbour) !== 0) return ANSWER.success;
  const { family, address } = gateway ?? { family: flow.family, address: flow.destination };
  const neighbour = routes.neighbour(to, family, address);
  if (neighbour === undefined) return ANSWER.noNeighbour;
  u8.set(neighbour, params + FIELD.destinationMac);
  u8.set(to.address, params + FIELD.sourceMac);
  return ANSWER.success;
}

/** Whether an interface takes an sk_buff as it is: with a VLAN tag to spare, and segments are not looked at. */
function isForwardable({ memory, packet }: Machine, context: number, to: Interface): boolean {
  if (!to.isUp) return false;
  const length = packet.end - packet.data;
  return length <= to.mtu + to.headerLength + VLAN_TAG || memory.view.getUint32(context + GSO_SIZE, true) !== 0;
}

function readAddress(view: DataView, at: number, family: Family): bigint {
  if (family === 4) return BigInt(view.getUint32(at));
  return (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8);
}

function writeAddress(view: DataView, at: number, family: Family, address: bigint): void {
  if (family === 4) {
    view.setUint32(at, Number(address));
  } else {
    view.setBigUint64(at, address >> 64n);
    view.setBigUint64(at + 8, address & 0xffff_ffff_ffff_ffffn);
  }
}

export const fibHelpers: readonly Helper[] = [fibLookup];
