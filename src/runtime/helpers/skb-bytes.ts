import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, Routine, type Variable } from '../../wasm/expression.ts';
import { packetLength } from './packet-code.ts';
import { SKB, SOCKET, TC_LWT, TC_LWT_XMIT } from './program-types.ts';
import { clearHash, length } from './skb-packet.ts';

/** linux/bpf.h */
const BPF_F_RECOMPUTE_CSUM = 1n;
const BPF_F_INVALIDATE_HASH = 2n;
const BPF_HDR_START_MAC = 0;
const BPF_HDR_START_NET = 1;

const INT_MAX = 0x7fff_ffff;
const MOST_RELATIVE = 0xffff;

/** Whether `size` bytes at `offset` are in the packet. */
export function holds(machine: Machine, offset: number, size: number): boolean {
  return offset <= INT_MAX && offset + size <= length(machine);
}

export function loadSkbBytes(machine: Machine, offset: number, to: number, size: number): number {
  return give(machine, holds(machine, offset, size) ? machine.packet.data + offset : null, to, size);
}

const load = defineHelper({
  name: 'skb_load_bytes',
  id: 26,
  prototype: { args: ['ctx', 'u32', 'mem-out', 'size'], returns: 'integer', programTypes: SKB },
  run: (machine, _context, offset, to, size) => loadSkbBytes(machine, offset, to, size),
  emit: (routines, { args: [, offset, to, size] }) =>
    callOf(
      routines.once('skb_load_bytes', () => loadRoutine(routines)),
      'i32',
      offset!.narrow(),
      to!.narrow(),
      size!.narrow(),
    ).wideSigned(),
});

/** (offset, to, size) → 0, or −EFAULT and zeroes. */
function loadRoutine(routines: Routines): Routine {
  const routine = new Routine(['i32', 'i32', 'i32'], ['i32']);
  const [offset, to, size] = routine.parameters as [Variable, Variable, Variable];
  const isBeyond = routine.let(offset.wide().add(size.wide()).gt(packetLength(routines).wide()));
  routine.if(offset.gt(INT_MAX).or(isBeyond), () => {
    routine.zero(to, size);
    routine.return(-ERRNO.EFAULT);
  });
  routine.move(to, routines.slot('packetData').load().add(offset), size);
  routine.return(0);
  return routine;
}

const loadRelative = defineHelper({
  name: 'skb_load_bytes_relative',
  id: 68,
  prototype: { args: ['ctx', 'u32', 'mem-out', 'size', 'u32'], returns: 'integer', programTypes: SOCKET },
  run(machine, _context, offset, to, size, base) {
    const { end, skb } = machine.packet;
    const start =
      base === BPF_HDR_START_MAC ? skb.macHeader : base === BPF_HDR_START_NET ? skb.networkHeader : undefined;
    const found = start !== undefined && offset <= MOST_RELATIVE && start + offset + size <= end;
    return give(machine, found ? start + offset : null, to, size);
  },
});

/** Copies to the program; zeroes where there is nothing to copy. */
function give({ memory }: Machine, from: number | null, to: number, size: number): number {
  if (from === null) {
    memory.u8.fill(0, to, to + size);
    return -ERRNO.EFAULT;
  }
  memory.u8.copyWithin(to, from, from + size);
  return 0;
}

const store = defineHelper({
  name: 'skb_store_bytes',
  id: 9,
  prototype: {
    args: ['ctx', 'u32', 'mem', 'size', 'u64'],
    returns: 'integer',
    programTypes: TC_LWT_XMIT,
    changesPacket: true,
  },
  run: (machine, _context, offset, from, size, flags) => storeSkbBytes(machine, offset, from, size, flags),
});

export function storeSkbBytes(machine: Machine, offset: number, from: number, size: number, flags: bigint): number {
  // The sum that BPF_F_RECOMPUTE_CSUM keeps true is one that a device made of the whole packet; here none did.
  if ((flags & ~(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH)) !== 0n) return -ERRNO.EINVAL;
  if (!holds(machine, offset, size)) return -ERRNO.EFAULT;
  const to = machine.packet.data + offset;
  machine.memory.u8.copyWithin(to, from, from + size);
  if ((flags & BPF_F_INVALIDATE_HASH) !== 0n) clearHash(machine);
  return 0;
}

const pull = defineHelper({
  name: 'skb_pull_data',
  id: 39,
  prototype: { args: ['ctx', 'u32'], returns: 'integer', programTypes: TC_LWT, changesPacket: true },
  // Every packet is linear as it stands.
  run: (machine, _context, size) => (size <= length(machine) ? 0 : -ERRNO.ENOMEM),
});

export const skbBytesHelpers: readonly Helper[] = [load, loadRelative, store, pull];
