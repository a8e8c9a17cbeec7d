import type { AluOp, AtomicOp, CallTarget, Immediate64, Instruction, JumpOp, Size, Width } from './instruction.ts';

/**
 * The one table of the instruction set: each row is an opcode, the values of `off`, `imm` or `src` that select it among
 * the rows of the same opcode, the fields it uses, and how its fields and its identity follow from one another. Decoding
 * and encoding both read it, so that neither can know an instruction which the other does not.
 */

/** The fields of RFC 9669, section 3.1, plus `next_imm` of section 3.2. Numbers are signed as the wire has them. */
export interface Fields {
  dst: number;
  src: number;
  off: number;
  imm: number;
  next: number;
}

export type FieldName = keyof Fields;

export interface Row {
  readonly opcode: number;
  /** Field values that tell this row from the others of its opcode; a field in neither `select` nor `uses` must be 0. */
  readonly select: Partial<Fields>;
  /** Fields that carry an operand. */
  readonly uses: readonly FieldName[];
  /** Fields of `uses` that name a register. */
  readonly registers: readonly ('dst' | 'src')[];
  /** For messages: what the opcode is. */
  readonly name: string;
  readonly read: (fields: Fields, pc: number) => Instruction;
  /** Fields in `uses`, from an instruction of this row. */
  readonly write: (instruction: Instruction, pc: number) => Partial<Fields>;
}

type Of<K extends Instruction['kind']> = Extract<Instruction, { kind: K }>;

/** Instruction classes (section 3.1, table 2), sizes and modes (section 5.1), source bit (section 4, table 3). */
const LD = 0;
const LDX = 1;
const ST = 2;
const STX = 3;
const ALU = 4;
const JMP = 5;
const JMP32 = 6;
const ALU64 = 7;
const K = 0x00;
const X = 0x08;
const IMM = 0x00;
const ABS = 0x20;
const IND = 0x40;
const MEM = 0x60;
const MEMSX = 0x80;
const ATOMIC = 0xc0;
const FETCH = 0x01;
const SIZE_BITS: Record<Size, number> = { 4: 0x00, 2: 0x08, 1: 0x10, 8: 0x18 };

/** `uses` in the shorthand of a list of words; registers are those fields called dst and src. */
function row<const Kind extends Instruction['kind']>(
  name: string,
  opcode: number,
  select: Partial<Fields>,
  uses: string,
  read: (fields: Fields, pc: number) => Of<Kind>,
  write: (instruction: Of<Kind>, pc: number) => Partial<Fields>,
  registers = uses,
): Row {
  const names = uses.split(' ').filter(Boolean) as FieldName[];
  return {
    name,
    opcode,
    select,
    uses: names,
    registers: (['dst', 'src'] as const).filter((field) => registers.split(' ').includes(field)),
    read,
    write: write as Row['write'],
  };
}

/** Section 4.1, table 4. Rows with `off` are the signed and sign-extending variants. */
const ALU_OPS: readonly [op: AluOp, code: number, off?: number][] = [
  ['add', 0x00],
  ['sub', 0x10],
  ['mul', 0x20],
  ['div', 0x30],
  ['sdiv', 0x30, 1],
  ['or', 0x40],
  ['and', 0x50],
  ['lsh', 0x60],
  ['rsh', 0x70],
  ['mod', 0x90],
  ['smod', 0x90, 1],
  ['xor', 0xa0],
  ['mov', 0xb0],
  ['arsh', 0xc0],
];

const MOVSX: readonly [op: AluOp, width: Width, off: number][] = [
  ['movsx8', 32, 8],
  ['movsx16', 32, 16],
  ['movsx8', 64, 8],
  ['movsx16', 64, 16],
  ['movsx32', 64, 32],
];

function arithmetic(): Row[] {
  const rows: Row[] = [];
  const widths = [[32, ALU], [64, ALU64]] as const; // biome-ignore format: a table
  const register = (name: string, opcode: number, op: AluOp, width: Width, off: number) =>
    row<'alu'>(
      name,
      opcode | X,
      { off },
      'dst src',
      ({ dst, src }) => ({ kind: 'alu', op, width, dst, src: { reg: src } }),
      ({ dst, src }) => ({ dst, src: 'reg' in src ? src.reg : 0 }),
    );
  for (const [width, cls] of widths) {
    for (const [op, code, off = 0] of ALU_OPS) {
      rows.push(
        register(`${op}${width}`, cls | code, op, width, off),
        row<'alu'>(
          `${op}${width}`,
          cls | code | K,
          { off },
          'dst imm',
          ({ dst, imm }) => ({ kind: 'alu', op, width, dst, src: { imm } }),
          ({ dst, src }) => ({ dst, imm: 'imm' in src ? src.imm : 0 }),
        ),
      );
    }
    // Negation has no second operand: `src` says 0 so that all of the kind have one shape.
    rows.push(
      row<'alu'>(
        `neg${width}`,
        cls | 0x80,
        {},
        'dst',
        ({ dst }) => ({ kind: 'alu', op: 'neg', width, dst, src: { imm: 0 } }),
        ({ dst }) => ({ dst }),
      ),
    );
  }
  for (const [op, width, off] of MOVSX) {
    rows.push(register(`${op} to ${width}`, (width === 64 ? ALU64 : ALU) | 0xb0, op, width, off));
  }
  // Linux 6.10, for arenas: `off` 1 makes a 64-bit move a cast, address spaces in the halves of `imm`.
  rows.push(
    row<'addr_space_cast'>(
      'addr_space_cast',
      ALU64 | 0xb0 | X,
      { off: 1 },
      'dst src imm',
      ({ dst, src, imm }) => ({ kind: 'addr_space_cast', dst, src, to: imm >>> 16, from: imm & 0xffff }),
      ({ dst, src, to, from }) => ({ dst, src, imm: (to << 16) | from }),
    ),
  );
  return rows;
}

/** Section 4.2. */
function byteSwaps(): Row[] {
  const ops = [['le', ALU | K], ['be', ALU | X], ['bswap', ALU64 | K]] as const; // biome-ignore format: a table
  return ops.flatMap(([op, cls]) =>
    ([16, 32, 64] as const).map((bits) =>
      row<'endian'>(
        op,
        cls | 0xd0,
        { imm: bits },
        'dst',
        ({ dst }) => ({ kind: 'endian', op, bits, dst }),
        ({ dst }) => ({ dst }),
      ),
    ),
  );
}

/** Section 4.3, table 5: the conditional rows. */
const JUMP_OPS: readonly [op: JumpOp, code: number][] = [
  ['eq', 0x10],
  ['gt', 0x20],
  ['ge', 0x30],
  ['set', 0x40],
  ['ne', 0x50],
  ['sgt', 0x60],
  ['sge', 0x70],
  ['lt', 0xa0],
  ['le', 0xb0],
  ['slt', 0xc0],
  ['sle', 0xd0],
];

function jumps(): Row[] {
  const widths = [[32, JMP32], [64, JMP]] as const; // biome-ignore format: a table
  const rows: Row[] = widths.flatMap(([width, cls]) =>
    JUMP_OPS.flatMap(([op, code]) => [
      row<'jump'>(
        `j${op}`,
        cls | code | X,
        {},
        'dst src off',
        ({ dst, src, off }, pc) => ({ kind: 'jump', op, width, dst, src: { reg: src }, target: pc + off + 1 }),
        ({ dst, src, target }, pc) => ({ dst, src: 'reg' in src ? src.reg : 0, off: target - pc - 1 }),
      ),
      row<'jump'>(
        `j${op}`,
        cls | code | K,
        {},
        'dst imm off',
        ({ dst, imm, off }, pc) => ({ kind: 'jump', op, width, dst, src: { imm }, target: pc + off + 1 }),
        ({ dst, src, target }, pc) => ({ dst, imm: 'imm' in src ? src.imm : 0, off: target - pc - 1 }),
      ),
    ]),
  );
  rows.push(
    row<'goto'>(
      'goto',
      JMP,
      {},
      'off',
      ({ off }, pc) => ({ kind: 'goto', target: pc + off + 1, long: false }),
      ({ target }, pc) => ({ off: target - pc - 1 }),
    ),
    row<'goto'>(
      'gotol',
      JMP32,
      {},
      'imm',
      ({ imm }, pc) => ({ kind: 'goto', target: pc + imm + 1, long: true }),
      ({ target }, pc) => ({ imm: target - pc - 1 }),
    ),
    // Linux 6.9, BPF_JCOND with src_reg 0: falls through until the budget of iterations is spent.
    row<'may_goto'>(
      'may_goto',
      JMP | 0xe0,
      {},
      'off',
      ({ off }, pc) => ({ kind: 'may_goto', target: pc + off + 1 }),
      ({ target }, pc) => ({ off: target - pc - 1 }),
    ),
    row<'exit'>(
      'exit',
      JMP | 0x90,
      {},
      'off', // of no meaning, but Linux takes any value

      () => ({ kind: 'exit' }),
      () => ({}),
    ),
  );
  return rows;
}

type Target<T extends CallTarget['type']> = Extract<CallTarget, { type: T }>;

/** Section 4.3.1 and 4.3.2; `src` selects what is called. */
function calls(): Row[] {
  const call = <T extends CallTarget['type']>(
    name: string,
    opcode: number,
    src: number,
    uses: string,
    read: (fields: Fields, pc: number) => Target<T>,
    write: (target: Target<T>, pc: number) => Partial<Fields>,
  ) =>
    row<'call'>(
      name,
      JMP | opcode,
      { src },
      uses,
      (fields, pc) => ({ kind: 'call', target: read(fields, pc) }),
      ({ target }, pc) => write(target as Target<T>, pc),
    );
  return [
    call<'helper'>(
      'call',
      0x80 | K,
      0,
      'imm',
      ({ imm }) => ({ type: 'helper', id: imm }),
      ({ id }) => ({ imm: id }),
    ),
    call<'local'>(
      'call of a function',
      0x80 | K,
      1,
      'imm',
      ({ imm }, pc) => ({ type: 'local', pc: pc + imm + 1 }),
      (target, pc) => ({ imm: target.pc - pc - 1 }),
    ),
    call<'kfunc'>(
      'call of a kfunc',
      0x80 | K,
      2,
      'imm off',
      ({ imm, off }) => ({ type: 'kfunc', btfId: imm, offset: off }),
      ({ btfId, offset }) => ({ imm: btfId, off: offset }),
    ),
    // clang's `callx`: not in RFC 9669, and Linux runs none; it decodes so that a refusal can name it.
    call<'register'>(
      'callx',
      0x80 | X,
      0,
      'dst',
      ({ dst }) => ({ type: 'register', reg: dst }),
      ({ reg }) => ({ dst: reg }),
    ),
  ];
}

/** Section 5.1 to 5.2: load and store of each size; sign-extending loads of 1, 2 and 4 bytes. */
function memory(): Row[] {
  const load = (size: Size, signed: boolean) =>
    row<'load'>(
      'load',
      LDX | (signed ? MEMSX : MEM) | SIZE_BITS[size],
      {},
      'dst src off',
      ({ dst, src, off }) => ({ kind: 'load', size, signed, dst, src, offset: off }),
      ({ dst, src, offset }) => ({ dst, src, off: offset }),
    );
  const store = (size: Size) => [
    row<'store'>(
      'store',
      STX | MEM | SIZE_BITS[size],
      {},
      'dst src off',
      ({ dst, src, off }) => ({ kind: 'store', size, dst, offset: off, src: { reg: src } }),
      ({ dst, src, offset }) => ({ dst, src: 'reg' in src ? src.reg : 0, off: offset }),
    ),
    row<'store'>(
      'store',
      ST | MEM | SIZE_BITS[size],
      {},
      'dst imm off',
      ({ dst, imm, off }) => ({ kind: 'store', size, dst, offset: off, src: { imm } }),
      ({ dst, src, offset }) => ({ dst, imm: 'imm' in src ? src.imm : 0, off: offset }),
    ),
  ];
  return ([1, 2, 4, 8] as const).flatMap((size) => [
    load(size, false),
    ...(size === 8 ? [] : [load(size, true)]),
    ...store(size),
  ]);
}

/** Section 5.3, tables 11 and 12; the sizes each operation has. */
const ATOMIC_OPS: readonly [op: AtomicOp, imm: number, fetch: boolean, sizes: readonly Size[]][] = [
  ['add', 0x00, false, [4, 8]],
  ['add', 0x00 | FETCH, true, [4, 8]],
  ['or', 0x40, false, [4, 8]],
  ['or', 0x40 | FETCH, true, [4, 8]],
  ['and', 0x50, false, [4, 8]],
  ['and', 0x50 | FETCH, true, [4, 8]],
  ['xor', 0xa0, false, [4, 8]],
  ['xor', 0xa0 | FETCH, true, [4, 8]],
  ['xchg', 0xe0 | FETCH, true, [4, 8]],
  ['cmpxchg', 0xf0 | FETCH, true, [4, 8]],
  // Linux 6.15, of every size. The address is in src for a load, in dst for a store.
  ['load_acq', 0x100, false, [1, 2, 4, 8]],
  ['store_rel', 0x110, false, [1, 2, 4, 8]],
];

function atomics(): Row[] {
  return ATOMIC_OPS.flatMap(([op, imm, fetch, sizes]) =>
    sizes.map((size) =>
      row<'atomic'>(
        'atomic operation',
        STX | ATOMIC | SIZE_BITS[size],
        { imm },
        'dst src off',
        ({ dst, src, off }) => ({ kind: 'atomic', op, size, fetch, dst, offset: off, src }),
        ({ dst, src, offset }) => ({ dst, src, off: offset }),
      ),
    ),
  );
}

/** Section 5.5. */
function packetLoads(): Row[] {
  return ([1, 2, 4] as const).flatMap((size) => [
    row<'packet'>(
      'packet load',
      LD | ABS | SIZE_BITS[size],
      {},
      'imm',
      ({ imm }) => ({ kind: 'packet', mode: 'abs', size, src: 0, imm }),
      ({ imm }) => ({ imm }),
    ),
    row<'packet'>(
      'packet load',
      LD | IND | SIZE_BITS[size],
      {},
      'src imm',
      ({ src, imm }) => ({ kind: 'packet', mode: 'ind', size, src, imm }),
      ({ src, imm }) => ({ src, imm }),
    ),
  ]);
}

type Wide<T extends Immediate64['type']> = Extract<Immediate64, { type: T }>;

/** Section 5.4, table 13, and BPF_PSEUDO_* of linux/bpf.h; `src` selects the meaning and names no register. */
function wideImmediates(): Row[] {
  const wide = <T extends Immediate64['type']>(
    src: number,
    uses: string,
    read: (fields: Fields, pc: number) => Wide<T>,
    write: (value: Wide<T>, pc: number) => Partial<Fields>,
  ) =>
    row<'imm64'>(
      '64-bit immediate',
      LD | IMM | SIZE_BITS[8],
      { src },
      `dst ${uses}`,
      (fields, pc) => ({ kind: 'imm64', dst: fields.dst, value: read(fields, pc) }),
      ({ dst, value }, pc) => ({ dst, ...write(value as Wide<T>, pc) }),
    );
  return [
    wide<'value'>(
      0,
      'imm next',
      ({ imm, next }) => ({ type: 'value', value: (BigInt(next >>> 0) << 32n) | BigInt(imm >>> 0) }),
      ({ value }) => ({ imm: Number(BigInt.asIntN(32, value)), next: Number(BigInt.asIntN(32, value >> 32n)) }),
    ),
    wide<'map'>(
      1,
      'imm',
      ({ imm }) => ({ type: 'map', map: imm }),
      ({ map }) => ({ imm: map }),
    ),
    wide<'map-value'>(
      2,
      'imm next',
      ({ imm, next }) => ({ type: 'map-value', map: imm, offset: next >>> 0 }),
      ({ map, offset }) => ({ imm: map, next: offset | 0 }),
    ),
    wide<'ksym'>(
      3,
      'imm',
      ({ imm }) => ({ type: 'ksym', btfId: imm }),
      ({ btfId }) => ({ imm: btfId }),
    ),
    wide<'function'>(
      4,
      'imm',
      ({ imm }, pc) => ({ type: 'function', pc: pc + imm + 1 }),
      (value, pc) => ({ imm: value.pc - pc - 1 }),
    ),
    wide<'map-by-index'>(
      5,
      'imm',
      ({ imm }) => ({ type: 'map-by-index', map: imm }),
      ({ map }) => ({ imm: map }),
    ),
    wide<'map-value-by-index'>(
      6,
      'imm next',
      ({ imm, next }) => ({ type: 'map-value-by-index', map: imm, offset: next >>> 0 }),
      ({ map, offset }) => ({ imm: map, next: offset | 0 }),
    ),
  ];
}

export const TABLE: readonly Row[] = [
  ...arithmetic(),
  ...byteSwaps(),
  ...jumps(),
  ...calls(),
  ...memory(),
  ...atomics(),
  ...packetLoads(),
  ...wideImmediates(),
];
