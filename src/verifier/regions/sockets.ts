import { BPF_SOCK } from '../../abi/context.ts';
import { describeKind } from '../report/words.ts';
import { ANYTHING, signedMin } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type Access, bytesOf, type Region } from './region.ts';

/** Fields of struct bpf_sock that every socket has; the others only a full one. */
const COMMON: ReadonlySet<string> = new Set([
  'bound_dev_if',
  'family',
  'type',
  'protocol',
  'mark',
  'priority',
  'src_ip4',
  'src_ip6',
  'src_port',
  'dst_port',
  'dst_ip4',
  'dst_ip6',
  'state',
  'rx_queue_mapping',
]);
/** Of a socket of which only the common part is known. */
const SHARED: ReadonlySet<string> = COMMON.difference(new Set(['type', 'protocol', 'mark', 'priority']));
const WHOLE_WORDS: ReadonlySet<string> = new Set(['bound_dev_if', 'mark', 'priority']);
/** Read in any pieces; of the other fields a piece begins where the field does. */
const ADDRESSES: ReadonlySet<string> = new Set(['src_ip4', 'src_ip6', 'dst_ip4', 'dst_ip6']);
/** sizeof(struct bpf_tcp_sock) of linux/bpf.h; two of its fields have 8 bytes. */
const TCP_SOCK = 112;
const TCP_BYTES_RECEIVED = 80;
const TCP_DSACK_DUPS = 96;
/** offsetof(struct bpf_xdp_sock, queue_id) + 4. */
const XDP_SOCK = 4;

function socketRegion(allows: (access: Access) => boolean): Region {
  return {
    read(v, access) {
      return isThere(v, access, allows) ? ANYTHING : undefined;
    },
    write: (v, { index, base }) => v.refuse('write-read-only', `r${index} (${describeKind(base)}) can only be read`),
  };
}

function isThere(v: Verification, access: Access, allows: (access: Access) => boolean): boolean {
  const { base, index, size } = access;
  const offset = access.offset + base.offset;
  if (signedMin(base.value) >= 0 && allows({ ...access, offset })) return true;
  return v.refuse(
    'socket-access',
    `${bytesOf(offset, size)} through r${index} (${describeKind(base)}) are no field of it`,
  );
}

function sockField({ offset, size }: Access, names: ReadonlySet<string>): boolean {
  if (offset < 0 || offset % size !== 0) return false;
  const field = BPF_SOCK.fields.find((each) => offset >= each.offset && offset < each.offset + each.size * each.count);
  if (field === undefined || !names.has(field.name)) return false;
  if (field.name === 'dst_port') return size <= 2 || (size === 4 && offset === field.offset);
  if (WHOLE_WORDS.has(field.name)) return size === 4;
  return size <= 4 && (ADDRESSES.has(field.name) || offset === field.offset);
}

export const sockRegion = socketRegion((access) => sockField(access, COMMON));
export const sockCommonRegion = socketRegion((access) => sockField(access, SHARED));
export const tcpSockRegion = socketRegion(({ offset, size }) => {
  if (offset < 0 || offset >= TCP_SOCK || offset % size !== 0) return false;
  return offset >= TCP_BYTES_RECEIVED && offset < TCP_DSACK_DUPS ? size === 8 : size === 4;
});
export const xdpSockRegion = socketRegion(
  ({ offset, size }) => offset >= 0 && offset < XDP_SOCK && size === 4 && offset % size === 0,
);
