import { offsetIn, XDP_MD } from '../../abi/context.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Packet } from '../../abi/packet.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, i32, Routine, type Variable } from '../../wasm/expression.ts';
import { XDP } from './program-types.ts';

const DATA = offsetIn(XDP_MD, 'data');
const DATA_END = offsetIn(XDP_MD, 'data_end');
const DATA_META = offsetIn(XDP_MD, 'data_meta');

/** Bytes of headroom that Linux keeps for `struct xdp_frame`. */
const RESERVED = 40;
const ETHERNET_HEADER = 14;
/** Bytes of a fragment's page. */
export const FRAGMENT = 4096;

const adjustHead = defineHelper({
  name: 'xdp_adjust_head',
  id: 44,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet, memory } = machine;
    const data = packet.data + delta;
    const metadata = packet.data - packet.meta;
    if (data < packet.head + RESERVED + metadata || data > packet.linearEnd - ETHERNET_HEADER) return -ERRNO.EINVAL;
    if (metadata > 0) memory.u8.copyWithin(data - metadata, packet.meta, packet.data);
    packet.meta = data - metadata;
    packet.data = data;
    machine.packetChanged();
    return 0;
  },
  emit: (routines, { machine, args: [, delta] }) =>
    callOf(
      routines.once('xdp_adjust_head', () => adjustHeadRoutine(routines, machine)),
      'i32',
      delta!.narrow(),
    ).wideSigned(),
});

const adjustMeta = defineHelper({
  name: 'xdp_adjust_meta',
  id: 54,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet } = machine;
    const meta = packet.meta + delta;
    if (meta < packet.head + RESERVED || meta > packet.data) return -ERRNO.EINVAL;
    if ((packet.data - meta) % 4 !== 0) return -ERRNO.EACCES;
    packet.meta = meta;
    machine.packetChanged();
    return 0;
  },
  emit: (routines, { machine, args: [, delta] }) =>
    callOf(
      routines.once('xdp_adjust_meta', () => adjustMetaRoutine(routines, machine)),
      'i32',
      delta!.narrow(),
    ).wideSigned(),
});

const adjustTail = defineHelper({
  name: 'xdp_adjust_tail',
  id: 65,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: XDP, changesPacket: true },
  run(machine, _context, delta) {
    const { packet, memory } = machine;
    const end = packet.end + delta;
    if (end > tailLimit(packet) || end < packet.data + ETHERNET_HEADER) return -ERRNO.EINVAL;
    moveTail(machine, end);
    if (delta > 0) memory.u8.fill(0, end - delta, end);
    return 0;
  },
  emit: (routines, { machine, args: [, delta] }) =>
    callOf(
      routines.once('xdp_adjust_tail', () => adjustTailRoutine(routines, machine)),
      'i32',
      delta!.narrow(),
    ).wideSigned(),
});

/** How far the packet's end may go: to the end of the last fragment's page, or of the only page. */
function tailLimit({ linearEnd, end, limit }: Packet): number {
  return linearEnd === end ? limit : linearEnd + Math.ceil((end - linearEnd) / FRAGMENT) * FRAGMENT;
}

function moveTail(machine: Machine, end: number): void {
  const { packet } = machine;
  // Fragments go as they empty; what remains below them is the linear part.
  packet.linearEnd = packet.linearEnd === packet.end ? end : Math.min(packet.linearEnd, end);
  packet.end = end;
  machine.packetChanged();
}

const refusal = (routine: Routine) => (errno: number) => () => routine.return(-errno);

/** As `Machine.packetChanged`. */
function writeEdges(
  routine: Routine,
  routines: Routines,
  { context }: Machine,
  edges: { readonly data?: Expression; readonly meta?: Expression; readonly linearEnd?: Expression },
): void {
  const set = (slot: 'packetData' | 'packetStart' | 'packetEnd', field: number, value: Expression | undefined) => {
    if (value === undefined) return;
    routine.store(routines.slot(slot), value);
    routine.store(i32(context + field), value);
  };
  set('packetData', DATA, edges.data);
  set('packetStart', DATA_META, edges.meta);
  set('packetEnd', DATA_END, edges.linearEnd);
  routine.store(routines.slot('packetMoved'), i32(1));
}

function adjustHeadRoutine(routines: Routines, machine: Machine): Routine {
  const routine = new Routine(['i32'], ['i32']);
  const refuse = refusal(routine)(ERRNO.EINVAL);
  const before = routine.let(routines.slot('packetData').load());
  const meta = routine.let(routines.slot('packetStart').load());
  const data = routine.let(before.add(routine.parameters[0]!));
  const metadata = routine.let(before.sub(meta));
  // Addresses are far below 2^31, and sums with any distance stay apart as signed numbers.
  routine.if(data.ltSigned(routines.slot('packetHead').load().add(metadata).add(RESERVED)), refuse);
  routine.if(data.gtSigned(routines.slot('packetEnd').load().sub(ETHERNET_HEADER)), refuse);
  routine.if(metadata, () => routine.move(data.sub(metadata), meta, metadata));
  writeEdges(routine, routines, machine, { data, meta: routine.let(data.sub(metadata)) });
  routine.return(0);
  return routine;
}

function adjustMetaRoutine(routines: Routines, machine: Machine): Routine {
  const routine = new Routine(['i32'], ['i32']);
  const refuse = refusal(routine);
  const data = routine.let(routines.slot('packetData').load());
  const meta = routine.let(routines.slot('packetStart').load().add(routine.parameters[0]!));
  routine.if(meta.ltSigned(routines.slot('packetHead').load().add(RESERVED)), refuse(ERRNO.EINVAL));
  routine.if(meta.gtSigned(data), refuse(ERRNO.EINVAL));
  routine.if(data.sub(meta).and(3), refuse(ERRNO.EACCES));
  writeEdges(routine, routines, machine, { meta });
  routine.return(0);
  return routine;
}

function adjustTailRoutine(routines: Routines, machine: Machine): Routine {
  const routine = new Routine(['i32'], ['i32']);
  const [delta] = routine.parameters as [Variable];
  const refuse = refusal(routine)(ERRNO.EINVAL);
  const before = routine.let(routines.slot('packetBytesEnd').load());
  const linearEnd = routine.let(routines.slot('packetEnd').load());
  const end = routine.let(before.add(delta));
  const isLinear = routine.let(linearEnd.eq(before));
  const pages = before
    .sub(linearEnd)
    .add(FRAGMENT - 1)
    .div(FRAGMENT)
    .mul(FRAGMENT);
  routine.if(end.gtSigned(isLinear.select(routines.slot('packetLimit').load(), linearEnd.add(pages))), refuse);
  routine.if(end.ltSigned(routines.slot('packetData').load().add(ETHERNET_HEADER)), refuse);
  routine.store(routines.slot('packetBytesEnd'), end);
  const lower = routine.let(linearEnd.lt(end).select(linearEnd, end));
  writeEdges(routine, routines, machine, { linearEnd: routine.let(isLinear.select(end, lower)) });
  routine.if(delta.gtSigned(0), () => routine.zero(before, delta));
  routine.return(0);
  return routine;
}

export const xdpRoomHelpers: readonly Helper[] = [adjustHead, adjustMeta, adjustTail];
