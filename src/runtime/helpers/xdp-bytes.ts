import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Packet } from '../../abi/packet.ts';
import { XDP } from './program-types.ts';

const MOST = 0xffff;

const length = defineHelper({
  name: 'xdp_get_buff_len',
  id: 188,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: XDP },
  run: ({ packet }) => packet.end - packet.data,
});

const load = defineHelper({
  name: 'xdp_load_bytes',
  id: 189,
  prototype: { args: ['ctx', 'u32', 'mem-out', 'size'], returns: 'integer', programTypes: XDP },
  run({ packet, memory }, _context, offset, to, size) {
    const error = refusal(packet, offset, size);
    if (error === 0) memory.u8.copyWithin(to, packet.data + offset, packet.data + offset + size);
    return error;
  },
});

const store = defineHelper({
  name: 'xdp_store_bytes',
  id: 190,
  prototype: { args: ['ctx', 'u32', 'mem', 'size'], returns: 'integer', programTypes: XDP },
  run({ packet, memory }, _context, offset, from, size) {
    const error = refusal(packet, offset, size);
    if (error === 0) memory.u8.copyWithin(packet.data + offset, from, from + size);
    return error;
  },
});

/** Bytes in fragments lie behind the linear part, so that a range never needs to be taken apart. */
function refusal(packet: Packet, offset: number, size: number): number {
  if (offset > MOST || size > MOST) return -ERRNO.EFAULT;
  return offset + size > packet.end - packet.data ? -ERRNO.EINVAL : 0;
}

export const xdpBytesHelpers: readonly Helper[] = [length, load, store];
