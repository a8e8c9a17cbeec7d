import type { AtomicOp, Register, Size } from '../../src/isa/instruction.ts';
import { CONTEXT, DEEPEST, STACK, type Writer } from './verifier-writer.ts';

const SIZES: readonly Size[] = [1, 2, 4, 8];
const SK_LOOKUP_TCP = 84;
const SK_RELEASE = 86;
const CALLER_BYTES = 32;

/** Calls a function with a pointer to this one's frame. */
export function frameForCallee(w: Writer): void {
  const start = w.frame(CALLER_BYTES);
  const number = w.holding('small', 'scalar');
  if (number === undefined || number === 1) w.code.constant(2, w.random.below(64));
  else w.code.mov(2, number);
  w.code.mov(1, STACK);
  w.code.alu('add', 1, start);
  const label = w.code.label();
  w.functions.push({ label, kinds: ['caller', 'scalar'] });
  w.code.call(label);
  w.afterCall('scalar');
  if (w.chance(2)) {
    const size = w.pick(SIZES);
    const dst = w.free();
    w.code.load(size, dst, STACK, start + size * w.random.below(CALLER_BYTES / size), size < 8 && w.chance(4));
    w.kinds[dst] = 'scalar';
  }
}

/** Reads or writes the caller's frame, at a constant or by a number. */
export function callersFrame(w: Writer): void {
  const pointer = w.kinds.indexOf('caller');
  if (pointer < 0) return;
  const size = w.pick(SIZES);
  let base = pointer;
  let most = 0;
  if (w.chance(3)) {
    w.reserved.add(pointer);
    const index = w.small(15);
    base = w.free();
    w.reserved.delete(pointer);
    if (base === pointer || base === index) return;
    w.code.mov(base, pointer);
    w.code.alu('add', base, { reg: index });
    w.kinds[base] = 'none';
    most = 16;
  }
  const offset = w.careless() ? w.random.below(48) - 8 : most + size * w.random.below((CALLER_BYTES - most) / size);
  const wide = most > 0 && !w.careless() ? 1 : size;
  if (w.chance(2)) {
    const source = w.holding('scalar', 'small');
    w.code.store(wide, base, offset, source === undefined || w.chance(3) ? w.random.below(2) : { reg: source });
    return;
  }
  const dst = w.free();
  if (dst === pointer) return;
  w.code.load(wide, dst, base, offset);
  w.kinds[dst] = 'scalar';
}

/** Packet bytes by the instructions of old, which skb programs have. */
export function legacyLoad(w: Writer): void {
  if (w.kinds[CONTEXT] !== 'context' && !w.careless()) return;
  const source = w.holding('small', 'scalar');
  const mode = source === undefined || w.chance(2) ? 'abs' : 'ind';
  const size = w.pick([1, 2, 4] as const);
  w.code.push({ kind: 'packet', mode, size, src: mode === 'abs' ? 0 : source!, imm: w.random.below(64) });
  w.afterCall('scalar');
}

/** A loop that Linux leaves by itself, in time. */
export function mayGotoLoop(w: Writer): void {
  if (w.depth > 0) return;
  const again = w.code.label();
  const out = w.code.label();
  w.kinds = w.kinds.map((kind, i) => (i === CONTEXT || i === STACK ? kind : 'none'));
  w.proven = 0;
  w.code.place(again);
  w.code.mayGoto(out);
  w.depth += DEEPEST;
  w.aside(() => w.statements(1 + w.random.below(2)));
  w.depth -= DEEPEST;
  if (w.chance(4)) w.code.jump('eq', CONTEXT, 0, out);
  w.code.goto(again);
  w.code.place(out);
}

/** Fills a stretch of the frame in a bounded loop, by its counter. */
export function fillingLoop(w: Writer): void {
  const counter = [7, 8, 9].find((register) => !w.reserved.has(register));
  if (counter === undefined || w.depth > 0) return;
  const base = [1, 2, 3, 4, 5].find((register) => !w.reserved.has(register))!;
  const start = w.frame(16);
  const size = w.careless() ? w.pick(SIZES) : 1;
  w.code.constant(counter, 0);
  w.kinds = w.kinds.map((kind, i) => (i === base ? 'none' : kind));
  const again = w.code.label();
  w.code.place(again);
  w.code.mov(base, STACK);
  w.code.alu('add', base, { reg: counter });
  w.code.store(size, base, start, w.chance(2) ? 0 : { reg: counter });
  w.code.alu('add', counter, 1, w.chance(2) ? 32 : 64);
  w.code.jump(w.pick(['lt', 'slt', 'ne']), counter, w.careless() ? 18 : 4 + w.random.below(8), again);
  w.kinds[counter] = 'small';
}

/** A socket is looked up, looked at and released, or some of it forgotten. */
export function socket(w: Writer): void {
  if (w.kinds[CONTEXT] !== 'context') return;
  const start = w.frame(40);
  w.code.mov(1, CONTEXT);
  w.code.mov(2, STACK);
  w.code.alu('add', 2, start);
  w.code.constant(3, w.careless() ? w.random.below(48) : w.pick([12, 36]));
  w.code.constant(4, -1);
  w.code.constant(5, 0);
  w.code.helper(SK_LOOKUP_TCP);
  w.afterCall('none');
  const kept = [7, 8, 9].find((register) => !w.reserved.has(register));
  if (kept === undefined) return;
  const none = w.code.label();
  w.code.mov(kept, 0);
  w.kinds[kept] = 'none';
  if (!w.careless()) w.code.jump('eq', w.chance(2) ? 0 : kept, 0, none);
  w.reserved.add(kept);
  w.aside(() => {
    if (w.chance(2)) {
      w.code.load(w.careless() ? w.pick(SIZES) : 4, 1, kept, w.careless() ? w.random.below(96) : w.pick([4, 8, 12]));
      w.kinds[1] = 'scalar';
    }
    // With a reference held no statement may leave the function.
    if (w.careless()) w.statements(1);
    if (w.careless()) return;
    w.code.mov(1, kept);
    w.code.helper(SK_RELEASE);
    w.afterCall('none');
  });
  w.reserved.delete(kept);
  w.code.place(none);
  for (let register = 0; register <= 5; register++) w.kinds[register] = 'none';
}

/** Two copies of a number, each a distance away, counted in 32 or 64 bits; what is learned of one is used of the other. */
export function distances(w: Writer): Register | undefined {
  const first = w.number();
  if (w.chance(2)) w.code.alu('and', first, 255);
  const able = [1, 2, 3, 4, 5, 7, 8, 9].filter((register) => register !== first && !w.reserved.has(register));
  const [second, third] = able;
  if (second === undefined || third === undefined) return undefined;
  for (const copy of [second, third]) {
    w.code.alu('mov', copy, { reg: first }, w.chance(4) ? 32 : 64);
    w.kinds[copy] = 'scalar';
    const by = w.chance(8) ? w.random.u32() | 0 : w.random.below(32) - 12;
    if (!w.chance(3)) w.code.alu(w.pick(['add', 'sub']), copy, by, w.chance(2) ? 32 : 64);
  }
  const [compared, used] = w.pick([
    [first, second],
    [second, first],
    [second, third],
  ] as const);
  w.code.jump('gt', compared, 8 + w.random.below(20), w.out, w.chance(5) ? 32 : 64);
  if (w.chance(2)) w.code.jump(w.pick(['lt', 'slt']), compared, w.random.below(12), w.out, w.chance(5) ? 32 : 64);
  w.kinds[used] = 'scalar';
  return used;
}

/** A slot written in pieces and read in others. */
export function pieces(w: Writer): void {
  const slot = w.frame(8);
  for (let left = 1 + w.random.below(4); left > 0; left--) {
    const size = w.pick(SIZES);
    const source = w.chance(2) ? w.holding('scalar', 'small') : undefined;
    const at = slot + size * w.random.below(8 / size);
    w.code.store(size, STACK, at, source === undefined ? (w.chance(2) ? 0 : w.random.below(300)) : { reg: source });
  }
  const size = w.pick(SIZES);
  const dst = w.free();
  w.code.load(size, dst, STACK, slot + size * w.random.below(8 / size), size < 8 && w.chance(3));
  w.kinds[dst] = 'scalar';
}

const ORDERED: readonly AtomicOp[] = ['load_acq', 'store_rel'];

/** Atomics that order: load-acquire and store-release, in the frame or a map value. */
export function ordered(w: Writer): void {
  const value = w.kinds.indexOf('value');
  const size = w.pick(SIZES);
  const inValue = value >= 0 && w.chance(2);
  const base = inValue ? value : STACK;
  const offset = (inValue ? 0 : w.frame(8)) + (w.careless() ? w.random.below(8) : size * w.random.below(8 / size));
  const op = w.pick(ORDERED);
  if (op === 'store_rel') {
    w.code.atomic(op, size, false, base, offset, w.number());
    return;
  }
  const dst = w.free();
  if (dst === value) return;
  w.code.atomic(op, size, false, dst, offset, base);
  w.kinds[dst] = 'scalar';
}
