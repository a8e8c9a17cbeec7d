import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import { XDP_TC } from './program-types.ts';

/** enum bpf_check_mtu_ret of linux/bpf.h. */
const SUCCESS = 0;
const FRAG_NEEDED = 1;
const SEGS_TOOBIG = 2;
const BPF_MTU_CHK_SEGS = 1n;

/** SKB_GSO_* of the kind of segments. */
const GSO_TCP = 0x11;
const GSO_UDP_L4 = 0x20000;
const UDP_HEADER = 8;

const IFINDEX = offsetIn(SK_BUFF, 'ifindex');
const GSO_SIZE = offsetIn(SK_BUFF, 'gso_size');
const XDP_INGRESS_IFINDEX = 12;

const checkMtu = defineHelper({
  name: 'check_mtu',
  id: 163,
  prototype: {
    args: ['ctx', 'u32', 'int-in-out', 's32', 'u64'],
    returns: 'integer',
    programTypes: XDP_TC,
    gplOnly: true,
  },
  run(machine, context, ifindex, mtuLength, difference, flags) {
    const { view } = machine.memory;
    const isXdp = machine.programType.name === 'xdp';
    const given = view.getUint32(mtuLength, true);
    const checksSegments = flags === BPF_MTU_CHK_SEGS && !isXdp;
    if (flags !== 0n && !checksSegments) return -ERRNO.EINVAL;
    if (checksSegments && (difference !== 0 || given !== 0)) return -ERRNO.EINVAL;
    const own = view.getUint32(context + (isXdp ? XDP_INGRESS_IFINDEX : IFINDEX), true);
    const device = machine.interfaces.get(ifindex === 0 ? own : ifindex);
    if (device === undefined) return -ERRNO.ENODEV;
    view.setUint32(mtuLength, device.mtu, true);

    const length = (given === 0 ? machine.packet.end - machine.packet.data : given + device.headerLength) + difference;
    if (length <= device.mtu + device.headerLength) return SUCCESS;
    const gsoSize = isXdp ? 0 : view.getUint32(context + GSO_SIZE, true);
    if (gsoSize === 0) return FRAG_NEEDED;
    return checksSegments && segmentLength(machine, gsoSize) > device.mtu ? SEGS_TOOBIG : SUCCESS;
  },
});

/** L3 length of the segments that a packet will be cut into. */
function segmentLength({ packet, memory }: Machine, gsoSize: number): number {
  const { networkHeader, transportHeader, gsoType } = packet.skb;
  const header =
    (gsoType & GSO_TCP) !== 0
      ? (memory.u8[transportHeader + 12]! >> 4) * 4
      : (gsoType & GSO_UDP_L4) !== 0
        ? UDP_HEADER
        : 0;
  return transportHeader - networkHeader + header + gsoSize;
}

export const mtuHelpers: readonly Helper[] = [checkMtu];
