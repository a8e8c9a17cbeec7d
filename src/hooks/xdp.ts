import { offsetIn, XDP_MD } from '../abi/context.ts';
import type { Machine } from '../abi/machine.ts';
import type { ProgramType } from '../abi/program-type.ts';
import { i32, op, select, type Value } from '../wasm/body.ts';
import { zero } from './entry.ts';
import { verdictNames } from './verdicts.ts';

/** Headroom of an XDP frame (XDP_PACKET_HEADROOM of linux/bpf.h). */
const HEADROOM = 256;
/** A frame's page, less what Linux keeps at its end for `struct skb_shared_info`. */
const FRAME = 4096 - 320;
const ETHERNET_HEADER = 14;

const DATA = offsetIn(XDP_MD, 'data');
const DATA_END = offsetIn(XDP_MD, 'data_end');
const DATA_META = offsetIn(XDP_MD, 'data_meta');
const INGRESS_IFINDEX = offsetIn(XDP_MD, 'ingress_ifindex');
const RX_QUEUE_INDEX = offsetIn(XDP_MD, 'rx_queue_index');
const EGRESS_IFINDEX = offsetIn(XDP_MD, 'egress_ifindex');

export const xdp: ProgramType = {
  name: 'xdp',
  id: 6,
  context: XDP_MD,
  readable: new Set(XDP_MD.fields.map((field) => field.name)),
  writable: new Set(),
  pointers: { data: 'packet', data_end: 'packet-end', data_meta: 'packet-meta' },
  ...verdictNames({ 0: 'XDP_ABORTED', 1: 'XDP_DROP', 2: 'XDP_PASS', 3: 'XDP_TX', 4: 'XDP_REDIRECT' }),
  headroom: HEADROOM,
  layer: 2,

  enter(machine, arrival) {
    const { packet, memory, context } = machine;
    if (packet.end - packet.data < ETHERNET_HEADER) return 'shorter than an Ethernet header';
    packet.head = packet.data - HEADROOM;
    packet.meta = packet.data;
    packet.limit = packet.head + FRAME;
    // What does not fit the first page is in fragments, whether or not the program said that it takes them.
    packet.linearEnd = Math.min(packet.end, packet.limit);
    // A program that moves its head back and forth finds zeroes there, or what it wrote itself.
    memory.u8.fill(0, packet.head, packet.data);
    memory.view.setUint32(context + INGRESS_IFINDEX, arrival.ifindex, true);
    memory.view.setUint32(context + RX_QUEUE_INDEX, arrival.queue, true);
    memory.view.setUint32(context + EGRESS_IFINDEX, 0, true);
    xdp.sync(machine);
    return undefined;
  },

  writeEnter({ body, memory, context, start, end, arrival, moved, setEdge }) {
    const limit = start - HEADROOM + FRAME;
    const linearEnd = select(op('i32.lt_u', end, i32(limit)), end, i32(limit));
    const setField = (offset: number, value: Value) => body.store('i32.store', i32(0), context + offset, value, memory);
    setEdge('linearEnd', linearEnd);
    setField(DATA_END, linearEnd);
    body.if(moved, () => {
      zero(body, i32(start - HEADROOM), HEADROOM, memory);
      setEdge('head', i32(start - HEADROOM));
      setEdge('meta', i32(start));
      setEdge('data', i32(start));
      setEdge('limit', i32(limit));
      setField(DATA, i32(start));
      setField(DATA_META, i32(start));
      setField(INGRESS_IFINDEX, i32(arrival.ifindex));
      setField(RX_QUEUE_INDEX, i32(arrival.queue));
      setField(EGRESS_IFINDEX, i32(0));
    });
  },

  writeEnterInPlace({ body, memory, context, start, end, setEdge }) {
    const limit = op('i32.add', start, i32(FRAME - HEADROOM));
    const linearEnd = select(op('i32.lt_u', end, limit), end, limit);
    const setField = (offset: number, value: Value) => body.store('i32.store', i32(0), context + offset, value, memory);
    setEdge('head', op('i32.sub', start, i32(HEADROOM)));
    setEdge('meta', start);
    setEdge('data', start);
    setEdge('limit', limit);
    setEdge('linearEnd', linearEnd);
    setField(DATA, start);
    setField(DATA_META, start);
    setField(DATA_END, linearEnd);
  },

  sync({ packet, memory, context }: Machine) {
    memory.view.setUint32(context + DATA, packet.data, true);
    memory.view.setUint32(context + DATA_END, packet.linearEnd, true);
    memory.view.setUint32(context + DATA_META, packet.meta, true);
  },

  leave: ({ packet }) => packet.meta,
  writeLeave: ({ meta }) => meta,
};
