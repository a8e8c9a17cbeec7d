import type { JumpOp } from '../../isa/instruction.ts';
import { isPacket, type Register, unsignedMax, withExtent } from '../state/register.ts';
import { mapRegisters, type State } from '../state/state.ts';

/** MAX_PACKET_OFF of Linux: beyond this no range is learned. */
const FARTHEST = 0xffff;

/** Ranges of pointers that were compared with the end and found to be at it, or beyond it. */
const AT_END = -1;
const BEYOND_END = -2;

/** `pointer op end`, with the sides exchanged. */
const MIRRORED: { readonly [Op in JumpOp]?: JumpOp } = { gt: 'lt', lt: 'gt', ge: 'le', le: 'ge' };

/** Whether a comparison with the end was decided by one before it; null if not. */
export function packetBranch(op: JumpOp, a: Register, b: Register): boolean | null {
  const mirrored = isEnd(b) ? op : MIRRORED[op];
  const pointer = isEnd(b) ? a : b;
  if ((!isEnd(a) && !isEnd(b)) || mirrored === undefined || pointer.extent >= 0) return null;
  const beyond = pointer.extent === BEYOND_END;
  switch (mirrored) {
    case 'gt':
      return beyond ? true : null;
    case 'le':
      return beyond ? false : null;
    case 'ge':
      return true;
    case 'lt':
      return false;
    default:
      return null;
  }
}

function isEnd(register: Register): boolean {
  return register.kind === 'packet-end';
}

/**
 * `pointer op end` teaches, on the side where the pointer is not beyond the end, that the bytes up to it are there;
 * `data_meta + n op data` likewise of the metadata.
 */
export function learnPacketRange(
  op: JumpOp,
  [dst, src]: readonly [number, number],
  a: Register,
  b: Register,
  fallThrough: State,
  taken: State,
): void {
  const forward = bounds(a, b);
  const mirrored = forward ? op : MIRRORED[op];
  if (mirrored === undefined || (!forward && !bounds(b, a))) return;
  const index = forward ? dst : src;
  switch (mirrored) {
    case 'gt':
      apply(index, fallThrough, false, taken, BEYOND_END);
      break;
    case 'ge':
      apply(index, fallThrough, true, taken, AT_END);
      break;
    case 'lt':
      apply(index, taken, true, fallThrough, AT_END);
      break;
    case 'le':
      apply(index, taken, false, fallThrough, BEYOND_END);
      break;
  }
}

/** Whether `end` bounds what `pointer` points into. */
function bounds(pointer: Register, end: Register): boolean {
  if (pointer.kind === 'packet') return isEnd(end);
  return pointer.kind === 'packet-meta' && isPacketStart(end);
}

function isPacketStart({ kind, id, offset, value }: Register): boolean {
  return kind === 'packet' && id === 0 && offset === 0 && value.isConst && value.valueLow === 0;
}

/** `inside` is where the pointer is at most (`strictly`: less than) the end, `outside` where it is not. */
function apply(index: number, inside: State, strictly: boolean, outside: State, mark: number): void {
  const pointer = inside.frame.registers[index]!;
  extend(inside, pointer, strictly);
  if (pointer.kind === 'packet') outside.frame.registers[index] = withExtent(pointer, mark);
}

function extend(state: State, pointer: Register, strictly: boolean): void {
  const { offset, value, kind, id } = pointer;
  if (offset < 0 || (offset === 0 && strictly)) return;
  const most = unsignedMax(value);
  if (most > FARTHEST || most + offset > FARTHEST) return;
  // What is less than the end has at least one byte more.
  const range = strictly ? offset + 1 : offset;
  mapRegisters(state, (register) =>
    register.kind === kind && isPacket(register) && register.id === id && register.extent < range
      ? withExtent(register, range)
      : register,
  );
}
