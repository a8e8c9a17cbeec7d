import { clearDynptr, type Dynptr, type DynptrKind, isMemory, writeDynptr } from '../../abi/dynptr.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineKfunc, type Kfunc } from '../../abi/kfunc.ts';
import type { Machine } from '../../abi/machine.ts';
import { PACKET_WRITERS } from '../../abi/program-type.ts';
import { readThrough, spans, writeThrough } from '../helpers/dynptr.ts';
import { MOST } from '../helpers/xdp-bytes.ts';
import { FRAGMENT } from '../helpers/xdp-room.ts';
import { kfunc } from './define.ts';

const SKB = [
  'sched_cls', 'sched_act', 'socket_filter', 'cgroup_skb', 'lwt_in', 'lwt_out', 'lwt_xmit', 'lwt_seg6local', 'sk_skb',
]; // biome-ignore format: a list

/** A dynptr to the packet, which is read-only where the program may not write to it. */
const fromPacket = (kind: 'skb' | 'xdp', programTypes: Kfunc['programTypes']): Kfunc =>
  defineKfunc({
    name: `dynptr_from_${kind}`,
    programTypes,
    args: ['ctx', 'u64', 'dynptr-out'],
    returns: 'integer',
    run({ memory, packet, programType }, _context, flags, at) {
      clearDynptr(memory, at);
      if (flags !== 0n) return -ERRNO.EINVAL;
      const readOnly = !PACKET_WRITERS.has(programType.name);
      writeDynptr(memory, { at, kind, readOnly, base: 0, offset: 0, size: packet.end - packet.data });
      return 0;
    },
  });

/** Where bytes of the packet lie, if they are all there and in one piece, the linear part or a fragment; else 0. */
function inPacket({ packet }: Machine, kind: DynptrKind, offset: number, size: number): number {
  const address = packet.data + offset;
  const { linearEnd, end } = packet;
  if (address + size > end || (kind === 'xdp' && (offset > MOST || size > MOST))) return 0;
  if (address < linearEnd || end === linearEnd) return address + size <= linearEnd ? address : 0;
  return ((address - linearEnd) % FRAGMENT) + size <= FRAGMENT ? address : 0;
}

/**
 * Where the bytes lie, if in one piece; else the buffer, if there is one, with a copy of them: of those that are still
 * there, where an XDP packet has become shorter than the dynptr. No sk_buff is in pieces here.
 */
function slice(machine: Machine, dynptr: Dynptr, offset: number, buffer: number, size: number): number {
  if (dynptr.kind === 'none' || !spans(dynptr, offset, size)) return 0;
  const at = dynptr.offset + offset;
  const address = isMemory(dynptr.kind) ? dynptr.base + at : inPacket(machine, dynptr.kind, at, size);
  if (address !== 0 || buffer === 0 || dynptr.kind !== 'xdp') return address;
  const { packet, memory } = machine;
  memory.u8.copyWithin(
    buffer,
    packet.data + at,
    Math.max(packet.data + at, Math.min(packet.data + at + size, packet.end)),
  );
  return buffer;
}

const SLICE = ['dynptr', 'u32', 'buffer?', 'buffer-constant'] as const;

const toRead = defineKfunc({
  name: 'dynptr_slice',
  programTypes: 'all',
  args: SLICE,
  returns: 'slice?',
  run: slice,
});

const toWrite = defineKfunc({
  name: 'dynptr_slice_rdwr',
  programTypes: 'all',
  args: SLICE,
  returns: 'writable-slice?',
  run: (machine, dynptr, offset, buffer, size) => (dynptr.readOnly ? 0 : slice(machine, dynptr, offset, buffer, size)),
});

const adjust = defineKfunc({
  name: 'dynptr_adjust',
  programTypes: 'all',
  args: ['dynptr', 'u32', 'u32'],
  returns: 'integer',
  run({ memory }, dynptr, start, end) {
    if (dynptr.kind === 'none' || start > end) return -ERRNO.EINVAL;
    if (end > dynptr.size) return -ERRNO.ERANGE;
    writeDynptr(memory, { ...dynptr, offset: dynptr.offset + start, size: end - start });
    return 0;
  },
});

/** What is asked of one dynptr. */
const question = (name: string, run: (machine: Machine, dynptr: Dynptr) => number): Kfunc =>
  defineKfunc({ name: `dynptr_${name}`, programTypes: 'all', args: ['dynptr'], returns: 'integer', run });

const size = question('size', (_machine, { kind, size }) => (kind === 'none' ? -ERRNO.EINVAL : size));
const isNull = question('is_null', (_machine, { kind }) => Number(kind === 'none'));
const isReadOnly = question('is_rdonly', (_machine, { kind, readOnly }) => Number(kind !== 'none' && readOnly));

const clone = defineKfunc({
  name: 'dynptr_clone',
  programTypes: 'all',
  args: ['dynptr', 'dynptr-out'],
  returns: 'integer',
  run({ memory }, dynptr, at) {
    writeDynptr(memory, { ...dynptr, at });
    return dynptr.kind === 'none' ? -ERRNO.EINVAL : 0;
  },
});

/** Linux copies as many bytes at a time where they are not in one piece. */
const CHUNK = 256;

/**
 * Does something with the bytes of a packet, a chunk after the other, where they are not in one piece: here they lie in one
 * row all the same, from `address` on. Writing them as they are tells whether they may be written.
 */
function inChunks(
  machine: Machine,
  dynptr: Dynptr,
  offset: number,
  size: number,
  change: (address: number, size: number, done: number) => number,
): number {
  if (!spans(dynptr, offset, size)) return -ERRNO.E2BIG;
  for (let done = 0; done < size; done += CHUNK) {
    const length = Math.min(CHUNK, size - done);
    const address = machine.packet.data + dynptr.offset + offset + done;
    const error = writeThrough(machine, dynptr, offset + done, address, length) || change(address, length, done);
    if (error !== 0) return error;
  }
  return 0;
}

const writable = (machine: Machine, dynptr: Dynptr, offset: number, size: number): number =>
  dynptr.readOnly ? 0 : slice(machine, dynptr, offset, 0, size);

const copy = defineKfunc({
  name: 'dynptr_copy',
  programTypes: 'all',
  args: ['dynptr-stack', 'u32', 'dynptr-stack', 'u32', 'u32'],
  returns: 'integer',
  run(machine, to, toOffset, from, fromOffset, size) {
    const source = slice(machine, from, fromOffset, 0, size);
    const target = writable(machine, to, toOffset, size);
    if (source !== 0 && target !== 0) machine.memory.u8.copyWithin(target, source, source + size);
    else if (source !== 0) return writeThrough(machine, to, toOffset, source, size);
    else if (target !== 0) return readThrough(machine, target, size, from, fromOffset);
    else {
      if (!spans(from, fromOffset, size)) return -ERRNO.E2BIG;
      return inChunks(machine, to, toOffset, size, (address, length, done) =>
        readThrough(machine, address, length, from, fromOffset + done),
      );
    }
    return 0;
  },
});

const memset = defineKfunc({
  name: 'dynptr_memset',
  programTypes: 'all',
  args: ['dynptr-stack', 'u32', 'u32', 'u32'],
  returns: 'integer',
  run(machine, dynptr, offset, size, value) {
    const fill = (address: number, length: number) => {
      machine.memory.u8.fill(value, address, address + length);
      return 0;
    };
    const target = writable(machine, dynptr, offset, size);
    if (target !== 0) return fill(target, size);
    return dynptr.readOnly ? -ERRNO.EINVAL : inChunks(machine, dynptr, offset, size, fill);
  },
});

export const dynptrKfuncs: readonly Kfunc[] = [
  fromPacket('skb', SKB),
  kfunc('dynptr_from_skb_meta', 'sched_cls sched_act', 'ctx number dynptr-out', 'integer'),
  fromPacket('xdp', ['xdp']),
  toRead,
  toWrite,
  adjust,
  isNull,
  isReadOnly,
  size,
  clone,
  copy,
  memset,
  kfunc('probe_read_user_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_user_str_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_kernel_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
  kfunc('probe_read_kernel_str_dynptr', 'all', 'dynptr-stack number number unchecked', 'integer'),
];
