import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import { ETH_P_8021AD, ETH_P_8021Q, ETHERNET_HEADER, protocolAt } from '../../base/ethernet.ts';
import { TC } from './program-types.ts';
import { insert, length, measureMac, networkOffset, protocolOf, remove, reserve, setProtocol } from './skb-packet.ts';

const TAG = 4;
/** Where a tag goes: behind both addresses. */
const ADDRESSES = 12;

const VLAN_PRESENT = offsetIn(SK_BUFF, 'vlan_present');
const VLAN_TCI = offsetIn(SK_BUFF, 'vlan_tci');
const VLAN_PROTO = offsetIn(SK_BUFF, 'vlan_proto');

const push = defineHelper({
  name: 'skb_vlan_push',
  id: 18,
  // The kernel takes 16 bits of either; the protocol is in network byte order.
  prototype: { args: ['ctx', 'u32', 'u32'], returns: 'integer', programTypes: TC, changesPacket: true },
  run(machine, _context, wireProtocol, tci) {
    const given = ((wireProtocol & 0xff) << 8) | ((wireProtocol >>> 8) & 0xff);
    const { view } = machine.memory;
    const { context } = machine;
    if (hasTag(machine)) {
      const outer = view.getUint16(context + VLAN_PROTO);
      if (!reserve(machine, TAG, 0)) return -ERRNO.ENOMEM;
      insert(machine, ADDRESSES, TAG);
      const { data, skb } = machine.packet;
      view.setUint16(data + ADDRESSES, outer);
      view.setUint16(data + ADDRESSES + 2, view.getUint16(context + VLAN_TCI, true));
      skb.macHeader = data;
      skb.networkHeader -= TAG;
      setProtocol(machine, outer);
    }
    view.setUint32(context + VLAN_PRESENT, 1, true);
    view.setUint32(context + VLAN_TCI, tci & 0xffff, true);
    view.setUint16(context + VLAN_PROTO, given === ETH_P_8021AD ? ETH_P_8021AD : ETH_P_8021Q);
    measureMac(machine);
    machine.packetChanged();
    return 0;
  },
});

const pop = defineHelper({
  name: 'skb_vlan_pop',
  id: 19,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC, changesPacket: true },
  run(machine) {
    const error = popOuter(machine) || popInner(machine);
    measureMac(machine);
    machine.packetChanged();
    return error;
  },
});

/** The tag beside the packet if there is one, else that in its bytes. */
function popOuter(machine: Machine): number {
  if (!hasTag(machine)) return isTagged(machine) ? takeTag(machine) : 0;
  setTag(machine, 0, 0, 0);
  return 0;
}

/** What was behind the outer tag goes beside the packet: Linux keeps the outermost tag there. */
function popInner(machine: Machine): number {
  if (!isTagged(machine)) return 0;
  const protocol = protocolOf(machine);
  const tci = machine.memory.view.getUint16(machine.packet.data + ETHERNET_HEADER);
  const error = takeTag(machine);
  if (error === 0) setTag(machine, 1, tci, protocol);
  return error;
}

function hasTag({ memory, context }: Machine): boolean {
  return memory.view.getUint32(context + VLAN_PRESENT, true) !== 0;
}

function setTag({ memory, context }: Machine, present: number, tci: number, protocol: number): void {
  memory.view.setUint32(context + VLAN_PRESENT, present, true);
  memory.view.setUint32(context + VLAN_TCI, tci, true);
  memory.view.setUint16(context + VLAN_PROTO, protocol);
}

function isTagged(machine: Machine): boolean {
  const protocol = protocolOf(machine);
  return protocol === ETH_P_8021Q || protocol === ETH_P_8021AD;
}

function takeTag(machine: Machine): number {
  const { packet, memory } = machine;
  if (length(machine) < ETHERNET_HEADER + TAG) return -ERRNO.ENOMEM;
  setProtocol(machine, protocolAt(memory.view, packet.data + ADDRESSES + TAG, packet.limit));
  remove(machine, ADDRESSES, TAG);
  packet.skb.macHeader += TAG;
  if (networkOffset(machine) < ETHERNET_HEADER) packet.skb.networkHeader = packet.data + ETHERNET_HEADER;
  return 0;
}

/** The packet with the tag beside it, as it would be on a wire. */
export function onWire({ packet, memory, context }: Machine): Uint8Array {
  const { view } = memory;
  const start = packet.skb.macHeader;
  const bytes = memory.u8.subarray(start, packet.end);
  if (view.getUint32(context + VLAN_PRESENT, true) === 0) return bytes.slice();
  const wire = new Uint8Array(bytes.length + TAG);
  wire.set(bytes.subarray(0, ADDRESSES));
  const tci = view.getUint16(context + VLAN_TCI, true);
  wire.set(
    [view.getUint8(context + VLAN_PROTO), view.getUint8(context + VLAN_PROTO + 1), tci >> 8, tci & 0xff],
    ADDRESSES,
  );
  wire.set(bytes.subarray(ADDRESSES), ADDRESSES + TAG);
  return wire;
}

export const skbVlanHelpers: readonly Helper[] = [push, pop];
