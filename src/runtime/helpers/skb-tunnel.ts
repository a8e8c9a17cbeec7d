import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { TC_LWT_XMIT } from './program-types.ts';

/** Offsets in struct bpf_tunnel_key of linux/bpf.h, whose fields of two families lie on each other. */
const KEY = { remote: 4, tos: 20, flags: 22, label: 24, local: 28, size: 44 } as const;
const IPV4_BYTES = 4;
const IPV6_BYTES = 16;
/** What the struct measured as it grew: up to remote_ipv4, tunnel_ext, tunnel_label, local_ipv4, and all of it. */
const ONLY_IPV4 = 8;
const SIZES: ReadonlySet<number> = new Set([ONLY_IPV4, KEY.flags, KEY.label, KEY.local, KEY.size]);
const LABEL_MASK = 0xf_ffff;

/** Flags of linux/bpf.h. */
const BPF_F_TUNINFO_IPV6 = 0x01n;
const BPF_F_ZERO_CSUM_TX = 0x02n;
const BPF_F_DONT_FRAGMENT = 0x04n;
const BPF_F_SEQ_NUMBER = 0x08n;
const BPF_F_NO_TUNNEL_KEY = 0x10n;
const BPF_F_TUNINFO_FLAGS = 0x10n;
const SET_FLAGS =
  BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER | BPF_F_NO_TUNNEL_KEY;
const GET_FLAGS = BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS;

/** TUNNEL_* of linux/if_tunnel.h, in which the flags of a key are told. */
const TUNNEL_CSUM = 0x0001;
const TUNNEL_KEY = 0x0004;
const TUNNEL_SEQ = 0x0008;
const TUNNEL_DONT_FRAGMENT = 0x0100;
/** Of Geneve, VXLAN, ERSPAN and GTP: the helper does not know whose options they are. */
const TUNNEL_OPTIONS = 0x0800 | 0x1000 | 0x4000 | 0x8000;
const TUNNEL_NOCACHE = 0x2000;

const MOST_OPTIONS = 255;

const setKey = defineHelper({
  name: 'skb_set_tunnel_key',
  id: 21,
  prototype: { args: ['ctx', 'mem', 'size', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run({ packet, memory }, _context, from, size, flags) {
    if ((flags & ~SET_FLAGS) !== 0n || !SIZES.has(size)) return -ERRNO.EINVAL;
    const given = new Uint8Array(KEY.size);
    given.set(memory.u8.subarray(from, from + size));
    const fields = new DataView(given.buffer);
    const ipv6 = (flags & BPF_F_TUNINFO_IPV6) !== 0n;
    const label = fields.getUint32(KEY.label, true);
    if ((!ipv6 && label !== 0) || fields.getUint16(KEY.flags, true) !== 0) return -ERRNO.EINVAL;

    // A key is told from the receiver's side: what was set as remote reads back as local.
    const info = given.slice();
    info.fill(0, KEY.remote, KEY.tos).fill(0, KEY.local);
    const bytes = ipv6 ? IPV6_BYTES : IPV4_BYTES;
    info.set(given.subarray(KEY.local, KEY.local + bytes), KEY.remote);
    info.set(given.subarray(KEY.remote, KEY.remote + bytes), KEY.local);
    new DataView(info.buffer).setUint32(KEY.label, label & LABEL_MASK, true);
    new DataView(info.buffer).setUint16(KEY.flags, tunnelFlags(flags));
    packet.skb.tunnel = { info, ipv6, options: null };
    return 0;
  },
});

function tunnelFlags(flags: bigint): number {
  return (
    TUNNEL_NOCACHE |
    ((flags & BPF_F_ZERO_CSUM_TX) === 0n ? TUNNEL_CSUM : 0) |
    ((flags & BPF_F_NO_TUNNEL_KEY) === 0n ? TUNNEL_KEY : 0) |
    ((flags & BPF_F_DONT_FRAGMENT) === 0n ? 0 : TUNNEL_DONT_FRAGMENT) |
    ((flags & BPF_F_SEQ_NUMBER) === 0n ? 0 : TUNNEL_SEQ)
  );
}

const getKey = defineHelper({
  name: 'skb_get_tunnel_key',
  id: 20,
  prototype: { args: ['ctx', 'mem-out', 'size', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run({ packet, memory }, _context, to, size, flags) {
    const { tunnel } = packet.skb;
    memory.u8.fill(0, to, to + size);
    if (tunnel === null || (flags & ~GET_FLAGS) !== 0n) return -ERRNO.EINVAL;
    if (tunnel.ipv6 !== ((flags & BPF_F_TUNINFO_IPV6) !== 0n)) return -ERRNO.EPROTO;
    if (!SIZES.has(size) || (size === ONLY_IPV4 && tunnel.ipv6)) return -ERRNO.EINVAL;
    memory.u8.set(tunnel.info.subarray(0, size), to);
    if (size <= KEY.flags) return 0;
    const wanted = (flags & BPF_F_TUNINFO_FLAGS) !== 0n;
    if (!wanted) memory.view.setUint16(to + KEY.flags, 0);
    else if (tunnel.options !== null) {
      memory.view.setUint16(to + KEY.flags, memory.view.getUint16(to + KEY.flags) | TUNNEL_OPTIONS);
    }
    return 0;
  },
});

const setOptions = defineHelper({
  name: 'skb_set_tunnel_opt',
  id: 30,
  prototype: { args: ['ctx', 'mem', 'size'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run({ packet, memory }, _context, from, size) {
    const { tunnel } = packet.skb;
    if (tunnel === null || size % 4 !== 0) return -ERRNO.EINVAL;
    if (size > MOST_OPTIONS) return -ERRNO.ENOMEM;
    tunnel.options = memory.u8.slice(from, from + size);
    return 0;
  },
});

const getOptions = defineHelper({
  name: 'skb_get_tunnel_opt',
  id: 29,
  prototype: { args: ['ctx', 'mem-out', 'size'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run({ packet, memory }, _context, to, size) {
    const options = packet.skb.tunnel?.options;
    memory.u8.fill(0, to, to + size);
    if (options === undefined || options === null) return -ERRNO.ENOENT;
    if (size < options.length) return -ERRNO.ENOMEM;
    memory.u8.set(options, to);
    return options.length;
  },
});

export const skbTunnelHelpers: readonly Helper[] = [setKey, getKey, setOptions, getOptions];
