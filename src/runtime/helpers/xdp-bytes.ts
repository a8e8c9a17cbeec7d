import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { Packet } from '../../abi/packet.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, Routine, type Variable } from '../../wasm/expression.ts';
import { packetLength } from './packet-code.ts';
import { XDP } from './program-types.ts';

/** No offset and no size beyond that reaches an XDP packet's bytes. */
export const MOST = 0xffff;

const length = defineHelper({
  name: 'xdp_get_buff_len',
  id: 188,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: XDP },
  run: ({ packet }) => packet.end - packet.data,
  emit: (routines) => packetLength(routines).wide(),
});

const load = defineHelper({
  name: 'xdp_load_bytes',
  id: 189,
  prototype: { args: ['ctx', 'u32', 'mem-out', 'size'], returns: 'integer', programTypes: XDP },
  run: (machine, _context, offset, to, size) => loadXdpBytes(machine, offset, to, size),
  emit: (routines, { args: [, offset, to, size] }) =>
    callOf(
      routines.once('xdp_load_bytes', () =>
        copyRoutine(routines, (routine, at, memory, count) => routine.move(memory, at, count)),
      ),
      'i32',
      offset!.narrow(),
      to!.narrow(),
      size!.narrow(),
    ).wideSigned(),
});

const store = defineHelper({
  name: 'xdp_store_bytes',
  id: 190,
  prototype: { args: ['ctx', 'u32', 'mem', 'size'], returns: 'integer', programTypes: XDP },
  run: (machine, _context, offset, from, size) => storeXdpBytes(machine, offset, from, size),
  emit: (routines, { args: [, offset, from, size] }) =>
    callOf(
      routines.once('xdp_store_bytes', () =>
        copyRoutine(routines, (routine, at, memory, count) => routine.move(at, memory, count)),
      ),
      'i32',
      offset!.narrow(),
      from!.narrow(),
      size!.narrow(),
    ).wideSigned(),
});

export function loadXdpBytes({ packet, memory }: Machine, offset: number, to: number, size: number): number {
  const error = refusal(packet, offset, size);
  if (error === 0) memory.u8.copyWithin(to, packet.data + offset, packet.data + offset + size);
  return error;
}

export function storeXdpBytes({ packet, memory }: Machine, offset: number, from: number, size: number): number {
  const error = refusal(packet, offset, size);
  if (error === 0) memory.u8.copyWithin(packet.data + offset, from, from + size);
  return error;
}

/** Bytes in fragments lie behind the linear part, so that a range never needs to be taken apart. */
function refusal(packet: Packet, offset: number, size: number): number {
  if (offset > MOST || size > MOST) return -ERRNO.EFAULT;
  return offset + size > packet.end - packet.data ? -ERRNO.EINVAL : 0;
}

/** (offset, memory, size) → 0, the bytes being copied one way or the other, or a negated errno. */
function copyRoutine(
  routines: Routines,
  move: (routine: Routine, at: Expression, memory: Expression, size: Expression) => void,
): Routine {
  const routine = new Routine(['i32', 'i32', 'i32'], ['i32']);
  const [offset, memory, size] = routine.parameters as [Variable, Variable, Variable];
  routine.if(offset.gt(MOST).or(size.gt(MOST)), () => routine.return(-ERRNO.EFAULT));
  routine.if(offset.add(size).gt(packetLength(routines)), () => routine.return(-ERRNO.EINVAL));
  move(routine, routine.let(routines.slot('packetData').load().add(offset)), memory, size);
  routine.return(0);
  return routine;
}

export const xdpBytesHelpers: readonly Helper[] = [length, load, store];
