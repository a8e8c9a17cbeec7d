import type { AtomicOp, Register, Size } from '../../src/isa/instruction.ts';
import { MAPS, VALUE_BYTES } from './verifier-objects.ts';
import { STACK, type Writer } from './verifier-writer.ts';

const SIZES: readonly Size[] = [1, 2, 4, 8];
const MAP_LOOKUP = 1;
const MAP_UPDATE = 2;
const MAP_DELETE = 3;
const RINGBUF_OUTPUT = 130;
const RINGBUF_RESERVE = 131;
const RINGBUF_SUBMIT = 132;
const RINGBUF_DISCARD = 133;

/** r1 = map, r2 = a key in the frame. */
function key(w: Writer, map: number): void {
  const start = w.frame(8);
  w.code.map(1, map);
  w.code.mov(2, STACK);
  w.code.alu('add', 2, start);
}

/** Looks a value up, compares with null, reads and writes within it. */
export function mapValue(w: Writer): void {
  const map = w.pick([MAPS.array, MAPS.hash]);
  const known = w.kinds.indexOf('value');
  if (known >= 0 && w.chance(2)) {
    withinValue(w, known);
    return;
  }
  if (w.chance(6)) {
    directValue(w);
    return;
  }
  if (w.chance(5)) {
    change(w, map);
    return;
  }
  key(w, map);
  w.code.helper(MAP_LOOKUP);
  w.afterCall('none');
  if (!w.careless()) {
    if (w.chance(2)) w.code.jump('eq', 0, 0, w.out);
    else {
      const found = w.code.label();
      w.code.jump('ne', 0, 0, found);
      w.code.goto(w.out);
      w.code.place(found);
    }
  }
  const value = w.pick([0, 7, 8, 9].filter((register) => !w.reserved.has(register)));
  if (value !== 0) w.code.mov(value, 0);
  w.kinds[0] = value === 0 ? 'value' : 'none';
  w.kinds[value] = 'value';
  withinValue(w, value);
}

function withinValue(w: Writer, value: Register): void {
  const size = w.pick(SIZES);
  if (w.chance(2)) {
    w.reserved.add(value);
    const index = w.small(w.careless() ? VALUE_BYTES : 15);
    w.reserved.delete(value);
    w.code.alu('add', value, { reg: index });
    use(w, value, size, VALUE_BYTES - 15 - size);
    w.kinds[value] = 'none';
  } else use(w, value, size, VALUE_BYTES - size);
}

function use(w: Writer, value: Register, size: Size, last: number): void {
  const offset = w.careless() ? last + 1 + w.random.below(4) : w.random.below(last + 1);
  const dst = w.free();
  if (w.chance(2)) w.code.store(size, value, offset, w.random.below(1000));
  else if (dst !== value) {
    w.code.load(size, dst, value, offset, size < 8 && w.chance(6));
    w.kinds[dst] = 'scalar';
  }
}

/** A value's address in the instruction, as variables have it. */
function directValue(w: Writer): void {
  const dst = w.free();
  const offset = w.careless() ? w.random.below(64) : 8 * w.random.below(VALUE_BYTES / 8);
  w.code.push({ kind: 'imm64', dst, value: { type: 'map-value', map: MAPS.single, offset } });
  w.kinds[dst] = 'none';
  use(w, dst, 8, VALUE_BYTES - 8 - offset);
}

function change(w: Writer, map: number): void {
  const value = w.frame(VALUE_BYTES);
  key(w, map);
  const updates = w.chance(2);
  if (updates) {
    w.code.mov(3, STACK);
    w.code.alu('add', 3, value);
    w.code.constant(4, w.random.below(3));
  }
  w.code.helper(updates ? MAP_UPDATE : MAP_DELETE);
  w.afterCall('scalar');
}

const ATOMICS: readonly AtomicOp[] = ['add', 'or', 'and', 'xor', 'xchg', 'cmpxchg'];

export function atomics(w: Writer): void {
  const operand = w.number();
  const op = w.pick(ATOMICS);
  const size = w.careless() ? w.pick(SIZES.filter((one) => one >= 4)) : 8;
  const fetch = op === 'xchg' || op === 'cmpxchg' || w.chance(2);
  if (op === 'cmpxchg' && w.kinds[0] !== 'scalar' && w.kinds[0] !== 'small') {
    if (w.reserved.has(0)) return;
    w.code.constant(0, 0);
    w.kinds[0] = 'scalar';
  }
  const value = w.kinds.indexOf('value');
  const offset = w.careless() ? w.random.below(VALUE_BYTES) : 8 * w.random.below(VALUE_BYTES / 8);
  if (value >= 0 && w.chance(2)) w.code.atomic(op, size, fetch, value, offset, operand);
  else w.code.atomic(op, size, fetch, STACK, w.frame(8), operand);
  if (op === 'cmpxchg') w.kinds[0] = 'scalar';
  else if (fetch) w.kinds[operand] = 'scalar';
}

/** A record of a ring buffer: reserved, filled, submitted or given up; or sent from the frame in one. */
export function records(w: Writer): void {
  if (w.chance(3)) {
    const start = w.frame(16);
    w.code.map(1, MAPS.ring);
    w.code.mov(2, STACK);
    w.code.alu('add', 2, start);
    w.code.constant(3, w.careless() ? w.random.below(64) : 8 + w.random.below(9));
    w.code.constant(4, 0);
    w.code.helper(RINGBUF_OUTPUT);
    w.afterCall('scalar');
    return;
  }
  const size = 8 * (1 + w.random.below(4));
  w.code.map(1, MAPS.ring);
  w.code.constant(2, size);
  w.code.constant(3, 0);
  w.code.helper(RINGBUF_RESERVE);
  w.afterCall('none');
  const record = [7, 8, 9].find((register) => !w.reserved.has(register)) ?? 0;
  if (!w.careless()) w.code.jump('eq', 0, 0, w.out);
  if (record !== 0) w.code.mov(record, 0);
  w.kinds[record] = 'record';
  w.reserved.add(record);
  const inner = w.out;
  for (let left = w.random.below(3); left > 0; left--) {
    w.code.store(8, record, w.careless() ? size : 8 * w.random.below(size / 8), w.random.below(100));
  }
  w.out = inner;
  w.reserved.delete(record);
  if (w.careless()) return;
  w.code.mov(1, record);
  w.code.constant(2, 0);
  w.code.helper(w.pick([RINGBUF_SUBMIT, RINGBUF_DISCARD]));
  w.afterCall('none');
  w.kinds[record] = 'none';
}
