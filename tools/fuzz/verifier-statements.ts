import type { AluOp, JumpOp, Register, Size } from '../../src/isa/instruction.ts';
import { atomics, mapValue, records } from './verifier-maps.ts';
import { packetAccess } from './verifier-packet.ts';
import {
  callersFrame,
  distances,
  fillingLoop,
  frameForCallee,
  legacyLoad,
  mayGotoLoop,
  ordered,
  pieces,
  socket,
} from './verifier-wider.ts';
import { CONTEXT, DEEPEST, type FuzzedType, STACK, type Statement, type Writer } from './verifier-writer.ts';

const SIZES: readonly Size[] = [1, 2, 4, 8];
const ALU: readonly AluOp[] = ['add', 'sub', 'mul', 'div', 'sdiv', 'or', 'and', 'lsh', 'rsh', 'neg', 'mod', 'smod', 'xor', 'mov', 'movsx8', 'movsx16', 'movsx32', 'arsh']; // biome-ignore format: a list
const JUMPS: readonly JumpOp[] = ['eq', 'gt', 'ge', 'set', 'ne', 'sgt', 'sge', 'lt', 'le', 'slt', 'sle'];
const EDGES = [0, 1, -1, 2, 7, 8, 63, 64, 255, 256, 4095, 0x7fff, 0xffff, 0x7fff_ffff, -0x8000_0000, -2, -64];
/** Readable words of the context that hold numbers. */
const FIELDS: Readonly<Record<FuzzedType, readonly number[]>> = {
  xdp: [12, 16],
  sched_cls: [0, 4, 8, 12, 16, 20, 24, 32, 36, 40, 44, 48, 64, 68],
  socket_filter: [0, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64],
};

const number = (w: Writer): number =>
  w.chance(2) ? w.pick(EDGES) : w.chance(2) ? w.random.below(64) : w.random.u32() | 0;
const width = (w: Writer): 32 | 64 => (w.chance(3) ? 32 : 64);

function arithmetic(w: Writer): void {
  const dst = w.number();
  const op = w.pick(ALU);
  const bits = width(w);
  w.kinds[dst] = 'scalar';
  if (op === 'neg') {
    w.code.alu('neg', dst, 0, bits);
    return;
  }
  const narrow = op.startsWith('movsx') && bits === 32 && op === 'movsx32';
  const source = w.chance(2) || op.startsWith('movsx') ? w.holding('scalar', 'small') : undefined;
  if (source !== undefined) {
    w.code.alu(narrow ? 'movsx16' : op, dst, { reg: source }, bits);
    return;
  }
  if (op.startsWith('movsx')) return;
  const shift = op === 'lsh' || op === 'rsh' || op === 'arsh';
  const divides = op === 'div' || op === 'sdiv' || op === 'mod' || op === 'smod';
  const operand = shift ? w.random.below(bits) : divides ? number(w) || 3 : number(w);
  w.code.alu(op, dst, operand, bits);
}

function swap(w: Writer): void {
  const dst = w.number();
  w.kinds[dst] = 'scalar';
  w.code.push({ kind: 'endian', op: w.pick(['le', 'be', 'bswap']), bits: w.pick([16, 32, 64]), dst });
}

function contextLoad(w: Writer): void {
  const context = w.holding('context');
  if (context === undefined) return;
  const dst = w.free();
  const careless = w.careless();
  const offset = careless ? w.random.below(200) : w.pick(FIELDS[w.type]);
  w.code.load(careless ? w.pick(SIZES) : 4, dst, context, offset);
  w.kinds[dst] = 'scalar';
}

function contextStore(w: Writer): void {
  const offset = w.careless() ? 4 * w.random.below(50) : w.pick([8, 48, 52, 56, 60, 64]); // mark, cb
  if (w.type === 'socket_filter' && !w.careless() && offset < 48) return;
  if (w.kinds[CONTEXT] !== 'context' && !w.careless()) return;
  const value = w.number();
  w.code.store(4, CONTEXT, w.type === 'socket_filter' && offset === 8 ? 48 : offset, { reg: value });
}

function copy(w: Writer): void {
  const source = w.holding('scalar', 'small', 'packet', 'stack', 'value', 'end');
  if (source === undefined) return;
  const dst = w.free();
  const kind = w.kinds[source]!;
  const half = kind === 'scalar' && w.chance(4);
  w.code.alu('mov', dst, { reg: source }, half ? 32 : 64);
  w.kinds[dst] = kind;
}

/** A number is copied, the copy is compared, the first is used: what is learned goes to both. */
function linked(w: Writer): void {
  const first = w.small(63);
  const second = w.free();
  if (first === second) return;
  w.code.mov(second, first);
  if (w.chance(2)) w.code.alu('add', second, w.random.below(16));
  w.kinds[second] = 'small';
  w.code.jump(w.pick(['gt', 'ge', 'sgt']), second, 4 + w.random.below(24), w.out);
  frameByNumber(w, first, 40);
}

function spill(w: Writer): void {
  const source = w.holding('scalar', 'small', 'packet', 'value', 'context', 'end');
  if (source === undefined) return;
  const kind = w.kinds[source]!;
  const offset = w.careless() ? -w.random.below(520) : -8 * (1 + w.random.below(8));
  const size = kind === 'scalar' ? w.pick(SIZES) : 8;
  const at = size === 8 ? offset : offset + size * w.random.below(8 / size);
  w.code.store(size, STACK, at, { reg: source });
  for (let byte = 0; byte < size; byte++) w.stack.add(at + byte);
  if (w.chance(3)) w.statements(1);
  const back = w.free();
  const narrow = kind === 'scalar' || kind === 'small' ? w.pick(SIZES.filter((one) => one <= size)) : 8;
  w.code.load(narrow, back, STACK, at, narrow < 8 && w.chance(4));
  w.kinds[back] = kind === 'small' ? 'small' : kind === 'scalar' ? 'scalar' : w.kinds[source] === kind ? kind : 'none';
}

function stackLoad(w: Writer): void {
  const offset = w.frame(8);
  const size = w.pick(SIZES);
  const dst = w.free();
  w.code.load(size, dst, STACK, offset + (w.careless() ? w.random.below(8) : size * w.random.below(8 / size)));
  w.kinds[dst] = 'scalar';
}

/** Access of the frame at r10 − 64 … by a number that may reach `most`. */
function frameByNumber(w: Writer, index: Register, most: number): void {
  const base = [1, 2, 3, 4, 5, 7, 8, 9].find((register) => register !== index && !w.reserved.has(register));
  if (base === undefined) return;
  const start = w.frame(64);
  w.code.mov(base, STACK);
  w.code.alu('add', base, start);
  w.code.alu('add', base, { reg: index });
  w.kinds[base] = 'none';
  const size = w.careless() ? w.pick(SIZES) : 1;
  const offset = w.careless() ? w.random.below(64 - most + 4) : w.random.below(64 - most);
  if (w.chance(2)) w.code.store(size, base, offset, w.chance(2) ? 0 : number(w));
  else {
    const dst = w.free();
    w.code.load(size, dst, base, offset);
    w.kinds[dst] = 'scalar';
  }
}

function branch(w: Writer): void {
  const left = w.number();
  const right = w.chance(2) ? w.holding('scalar', 'small') : undefined;
  const skip = w.code.label();
  w.code.jump(w.pick(JUMPS), left, right === undefined ? number(w) : { reg: right }, skip, width(w));
  const end = w.code.label();
  const otherwise = w.chance(3);
  w.aside(() => w.statements(1 + w.random.below(3)));
  if (otherwise) w.code.goto(end);
  w.code.place(skip);
  if (otherwise) w.aside(() => w.statements(1 + w.random.below(2)));
  w.code.place(end);
}

function loop(w: Writer): void {
  const counter = [7, 8, 9].find((register) => !w.reserved.has(register));
  // Loops and branches within a loop soon cost a million instructions.
  if (counter === undefined || w.depth > 0) return;
  w.reserved.add(counter);
  w.code.constant(counter, w.random.below(3));
  w.kinds[counter] = 'small';
  const again = w.code.label();
  // Whatever a round may change is not to be relied on at its beginning.
  w.kinds = w.kinds.map((kind, i) =>
    i === counter || i === CONTEXT || i === STACK ? kind : w.careless() ? kind : 'none',
  );
  w.proven = 0;
  w.code.place(again);
  w.depth += DEEPEST;
  w.aside(() => w.statements(1 + w.random.below(2)));
  w.depth -= DEEPEST;
  // Without an end it may cost Linux seconds to see it: seldom.
  w.code.alu('add', counter, w.careless() && w.chance(8) ? 0 : 1 + w.random.below(2));
  w.code.jump(w.pick(['lt', 'le', 'slt']), counter, 3 + w.random.below(4), again, width(w));
  w.reserved.delete(counter);
}

function numberOfHelper(w: Writer): void {
  w.code.helper(w.pick([7, 8, 5])); // get_prandom_u32, get_smp_processor_id, ktime_get_ns
  w.afterCall('scalar');
}

/** bpf_csum_diff(from, from_size, to, to_size, seed) and skb/xdp_load_bytes(context, offset, to, size). */
function memoryOfHelper(w: Writer): void {
  const loads = w.chance(2) && w.kinds[CONTEXT] === 'context';
  const start = w.frame(32);
  const variable = w.chance(2);
  let size: Register | undefined;
  if (variable) {
    size = w.small(w.careless() ? 40 : 28);
    if (!loads) w.code.alu('and', size, 28);
    else if (!w.careless()) w.code.jump('eq', size, 0, w.out);
  }
  const fixed = w.careless() ? w.random.below(64) : 4 * (1 + w.random.below(8));
  if (loads) {
    if (size === undefined) w.code.constant(4, fixed);
    else w.code.mov(4, size);
    w.code.mov(1, CONTEXT);
    w.code.constant(2, w.random.below(32));
    w.code.mov(3, STACK);
    w.code.alu('add', 3, start);
    w.code.helper(w.type === 'xdp' ? 189 : 26);
  } else {
    if (size === undefined) w.code.constant(2, fixed);
    else w.code.mov(2, size);
    w.code.mov(1, STACK);
    w.code.alu('add', 1, start);
    w.code.constant(3, 0);
    w.code.constant(4, 0);
    w.code.constant(5, 0);
    w.code.helper(w.type === 'socket_filter' && !w.careless() ? 8 : 28);
  }
  w.afterCall('scalar');
}

/** bpf_xdp_adjust_head and bpf_skb_change_tail: what was known of the packet is gone. */
function moves(w: Writer): void {
  if (w.kinds[CONTEXT] !== 'context') return;
  w.code.mov(1, CONTEXT);
  w.code.constant(2, w.type === 'xdp' ? w.random.below(16) - 8 : 64 + w.random.below(64));
  w.code.constant(3, 0);
  w.code.helper(w.type === 'xdp' ? w.pick([44, 65, 54]) : 38);
  w.afterCall('scalar');
  if (!w.careless()) w.packetMoved();
}

function localCall(w: Writer): void {
  const kinds = [w.chance(3) ? 'context' : 'scalar', 'scalar'] as const;
  if (kinds[0] === 'context') {
    if (w.kinds[CONTEXT] !== 'context') return;
    w.code.mov(1, CONTEXT);
  } else w.code.constant(1, number(w));
  const source = w.holding('small', 'scalar');
  if (source === undefined || source === 1) w.code.constant(2, number(w));
  else w.code.mov(2, source);
  const label = w.code.label();
  w.functions.push({ label, kinds });
  w.code.call(label);
  w.afterCall('scalar');
}

/** What is mostly refused: arithmetic on pointers, registers that were never written. */
function wrong(w: Writer): void {
  if (!w.careless()) return;
  const dst = w.random.below(10);
  const source = w.random.below(11);
  w.code.alu(w.pick(ALU.filter((op) => !op.startsWith('movsx') && op !== 'neg')), dst, { reg: source }, width(w));
}

function useOf(w: Writer, index: Register | undefined): void {
  if (index !== undefined) frameByNumber(w, index, 40);
}

export const STATEMENTS: readonly Statement[] = [
  { weight: 14, write: arithmetic },
  { weight: 2, write: swap },
  { weight: 6, write: contextLoad },
  { weight: 2, types: ['sched_cls', 'socket_filter'], write: contextStore },
  { weight: 5, write: copy },
  { weight: 4, write: linked },
  { weight: 6, write: spill },
  { weight: 4, write: stackLoad },
  { weight: 5, write: (w) => frameByNumber(w, w.small(31), 31) },
  { weight: 8, deep: true, write: branch },
  { weight: 3, deep: true, write: loop },
  { weight: 3, write: numberOfHelper },
  { weight: 4, write: memoryOfHelper },
  { weight: 2, types: ['xdp', 'sched_cls'], write: moves },
  { weight: 3, deep: true, write: localCall },
  { weight: 12, types: ['xdp', 'sched_cls'], write: packetAccess },
  { weight: 8, write: mapValue },
  { weight: 3, write: atomics },
  { weight: 3, write: records },
  { weight: 3, deep: true, write: frameForCallee },
  { weight: 8, write: callersFrame },
  { weight: 2, types: ['sched_cls', 'socket_filter'], write: legacyLoad },
  { weight: 2, deep: true, write: mayGotoLoop },
  { weight: 2, deep: true, write: fillingLoop },
  { weight: 2, types: ['xdp', 'sched_cls'], write: socket },
  { weight: 4, write: (w) => useOf(w, distances(w)) },
  { weight: 3, write: pieces },
  { weight: 2, write: ordered },
  { weight: 6, write: wrong },
];
