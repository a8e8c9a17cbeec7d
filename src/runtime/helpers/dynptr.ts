import { clearDynptr, DYNPTR_MAX_SIZE, type Dynptr, type DynptrKind, isMemory, writeDynptr } from '../../abi/dynptr.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { RingBuffer } from '../../abi/map.ts';
import { reserveRecord, ringOf } from './ring-buffer.ts';
import { loadSkbBytes, storeSkbBytes } from './skb-bytes.ts';
import { loadXdpBytes, storeXdpBytes } from './xdp-bytes.ts';

/** How the bytes of each kind are copied out, and in; positions count from `base`, or from the packet's data. */
interface Bytes {
  load(machine: Machine, from: number, to: number, size: number, base: number): number;
  store(machine: Machine, to: number, from: number, size: number, flags: bigint, base: number): number;
}

const memory: Bytes = {
  load({ memory: { u8 } }, from, to, size, base) {
    u8.copyWithin(to, base + from, base + from + size);
    return 0;
  },
  store({ memory: { u8 } }, to, from, size, flags, base) {
    if (flags !== 0n) return -ERRNO.EINVAL;
    u8.copyWithin(base + to, from, from + size);
    return 0;
  },
};

const BYTES: Readonly<Record<Exclude<DynptrKind, 'none'>, Bytes>> = {
  local: memory,
  ringbuf: memory,
  skb: { load: loadSkbBytes, store: storeSkbBytes },
  xdp: {
    load: loadXdpBytes,
    store: (machine, to, from, size, flags) => (flags === 0n ? storeXdpBytes(machine, to, from, size) : -ERRNO.EINVAL),
  },
};

/** Whether `size` bytes at `offset` are within a dynptr. */
export function spans(dynptr: Dynptr, offset: number, size: number): boolean {
  return offset + size <= dynptr.size;
}

/** bpf_dynptr_read: 0, or a negated errno. */
export function readThrough(machine: Machine, to: number, size: number, dynptr: Dynptr, offset: number, flags = 0n) {
  const { kind, base } = dynptr;
  if (kind === 'none' || flags !== 0n) return -ERRNO.EINVAL;
  if (!spans(dynptr, offset, size)) return -ERRNO.E2BIG;
  return BYTES[kind].load(machine, dynptr.offset + offset, to, size, base);
}

/** bpf_dynptr_write: 0, or a negated errno. */
export function writeThrough(machine: Machine, dynptr: Dynptr, offset: number, from: number, size: number, flags = 0n) {
  const { kind, base, readOnly } = dynptr;
  if (kind === 'none' || readOnly) return -ERRNO.EINVAL;
  if (!spans(dynptr, offset, size)) return -ERRNO.E2BIG;
  return BYTES[kind].store(machine, dynptr.offset + offset, from, size, flags, base);
}

const fromMem = defineHelper({
  name: 'dynptr_from_mem',
  id: 197,
  prototype: { args: ['dynptr-mem', 'size0', 'u64', 'dynptr-out'], returns: 'integer', programTypes: 'all' },
  run({ memory }, base, size, flags, at) {
    clearDynptr(memory, at);
    if (size > DYNPTR_MAX_SIZE) return -ERRNO.E2BIG;
    if (flags !== 0n) return -ERRNO.EINVAL;
    writeDynptr(memory, { at, kind: 'local', readOnly: false, base, offset: 0, size });
    return 0;
  },
});

const read = defineHelper({
  name: 'dynptr_read',
  id: 201,
  prototype: { args: ['mem-out', 'size0', 'dynptr', 'u32', 'u64'], returns: 'integer', programTypes: 'all' },
  run: readThrough,
});

const write = defineHelper({
  name: 'dynptr_write',
  id: 202,
  prototype: { args: ['dynptr', 'u32', 'mem', 'size0', 'u64'], returns: 'integer', programTypes: 'all' },
  run: writeThrough,
});

const data = defineHelper({
  name: 'dynptr_data',
  id: 203,
  prototype: { args: ['dynptr', 'u32', 'alloc-size'], returns: 'dynptr-mem?', programTypes: 'all' },
  run(_machine, dynptr, offset, size) {
    const { kind, base, readOnly } = dynptr;
    return isMemory(kind) && !readOnly && spans(dynptr, offset, size) ? base + dynptr.offset + offset : 0;
  },
});

const reserve = defineHelper({
  name: 'ringbuf_reserve_dynptr',
  id: 198,
  prototype: { args: ['map', 'u32', 'u64', 'dynptr-out'], returns: 'integer', programTypes: 'all' },
  run(machine, map, size, flags, at) {
    clearDynptr(machine.memory, at);
    if (flags !== 0n) return -ERRNO.EINVAL;
    if (size > DYNPTR_MAX_SIZE) return -ERRNO.E2BIG;
    const base = reserveRecord(machine, map as RingBuffer, size);
    if (base === 0) return -ERRNO.EINVAL;
    writeDynptr(machine.memory, { at, kind: 'ringbuf', readOnly: false, base, offset: 0, size });
    return 0;
  },
});

/** Gives a record away; without one, nothing happens. */
const end = (name: 'submit' | 'discard', id: number) =>
  defineHelper({
    name: `ringbuf_${name}_dynptr`,
    id,
    prototype: { args: ['dynptr-record', 'u64'], returns: 'void', programTypes: 'all' },
    run(machine, { kind, base, at }) {
      if (kind === 'ringbuf') ringOf(machine, base)?.[name](base);
      clearDynptr(machine.memory, at);
      return 0;
    },
  });

export const dynptrHelpers: readonly Helper[] = [
  fromMem,
  read,
  write,
  data,
  reserve,
  end('submit', 199),
  end('discard', 200),
];
