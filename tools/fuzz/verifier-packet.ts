import type { JumpOp, Register, Size } from '../../src/isa/instruction.ts';
import { CONTEXT, type Writer } from './verifier-writer.ts';

const SIZES: readonly Size[] = [1, 2, 4, 8];
/** Offsets of data, data_end and data_meta: `struct xdp_md`, `struct __sk_buff`. */
const FIELDS = { xdp: { data: 0, end: 4, meta: 8 }, sched_cls: { data: 76, end: 80, meta: 140 } } as const;

/** Two registers that are nobody's, or nothing. */
function two(w: Writer): readonly [Register, Register] | undefined {
  const able = [1, 2, 3, 4, 5, 7, 8, 9, 0].filter((register) => !w.reserved.has(register));
  const first = able[w.random.below(able.length)]!;
  const rest = able.filter((register) => register !== first);
  return rest.length === 0 ? undefined : [first, w.pick(rest)];
}

/** Direct packet access: a comparison with data_end in one of its many forms, and what it allows, or a byte more. */
export function packetAccess(w: Writer): void {
  const known = w.kinds.indexOf('packet');
  if (w.proven > 0 && known >= 0 && w.chance(2)) {
    access(w, known, w.proven);
    return;
  }
  if (w.kinds[CONTEXT] !== 'context' || w.type === 'socket_filter') return;
  const pair = two(w);
  if (pair === undefined) return;
  const fields = FIELDS[w.type];
  const [data, end] = pair;
  const meta = w.chance(6);
  w.code.load(4, data, CONTEXT, meta ? fields.meta : fields.data);
  w.code.load(4, end, CONTEXT, meta ? fields.data : fields.end);
  w.kinds[data] = 'none';
  w.kinds[end] = 'none';
  if (w.chance(8)) {
    length(w, data, end);
    return;
  }
  if (w.chance(3)) {
    variable(w, data, end);
    return;
  }
  const size = 1 + w.random.below(40);
  const other = two(w)?.find((register) => register !== data && register !== end);
  if (other === undefined) return;
  w.code.mov(other, data);
  w.code.alu('add', other, size);
  w.kinds[other] = 'none';
  const proven = check(w, other, end, size);
  w.kinds[data] = 'packet';
  w.kinds[end] = meta ? 'none' : 'end';
  w.proven = proven;
  // A pointer that was moved knows as much, from where it is.
  if (w.chance(3)) access(w, other, proven, -size);
  else access(w, data, proven);
  if (w.chance(2)) access(w, data, proven);
}

/** Compares `pointer` = start + size with `end`; gives the bytes from the start that are good afterwards. */
function check(w: Writer, pointer: Register, end: Register, size: number): number {
  const good = w.code.label();
  const [op, swapped, leaves, strict] = w.pick(FORMS);
  const [left, right] = swapped ? [end, pointer] : [pointer, end];
  if (leaves) w.code.jump(op, left, { reg: right }, w.out);
  else {
    w.code.jump(op, left, { reg: right }, good);
    w.code.goto(w.out);
    w.code.place(good);
  }
  return strict ? size + 1 : size;
}

/** Comparison, whether data_end stands left, whether it jumps when there is too little, whether it proves a byte more. */
const FORMS: readonly (readonly [JumpOp, boolean, boolean, boolean])[] = [
  ['gt', false, true, false],
  ['ge', false, true, true],
  ['lt', true, true, false],
  ['le', true, true, true],
  ['le', false, false, false],
  ['lt', false, false, true],
  ['ge', true, false, false],
  ['gt', true, false, true],
];

/** Reads (or writes) within `proven` bytes of the packet; `from` is where the first of them lies from the register. */
function access(w: Writer, pointer: Register, proven: number, from = 0): void {
  const size = w.pick(SIZES.filter((one) => one <= proven));
  if (size === undefined) return;
  const beyond = w.careless() ? 1 + w.random.below(2) : 0;
  const offset = from + (beyond > 0 ? proven - size + beyond : w.random.below(proven - size + 1));
  const dst = w.free();
  if (w.chance(4)) w.code.store(size, pointer, offset, w.random.below(256));
  else if (dst !== pointer) {
    w.code.load(size, dst, pointer, offset, size < 8 && w.chance(6));
    w.kinds[dst] = 'scalar';
  }
}

/** data_end − data is a number. */
function length(w: Writer, data: Register, end: Register): void {
  w.code.alu('sub', end, { reg: data }, w.careless() ? 32 : 64);
  w.kinds[end] = 'scalar';
}

/** A bounded number is added to the packet's pointer, then compared, then read behind. */
function variable(w: Writer, data: Register, end: Register): void {
  w.reserved.add(data).add(end);
  const index = w.small(w.pick([7, 31, 255, 4095, 65535]));
  const after = two(w)?.find((register) => register !== index);
  w.reserved.delete(data);
  w.reserved.delete(end);
  if (after === undefined || index === CONTEXT) return;
  w.code.alu('add', data, { reg: index });
  if (w.chance(3)) w.code.alu('add', data, w.random.below(16));
  const size = 1 + w.random.below(16);
  w.code.mov(after, data);
  w.code.alu('add', after, size);
  w.kinds[after] = 'none';
  const proven = check(w, after, end, size);
  w.kinds[data] = 'packet';
  w.kinds[end] = 'end';
  w.proven = proven;
  access(w, data, proven);
}
