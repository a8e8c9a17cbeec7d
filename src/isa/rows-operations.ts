import type { AluOp, CallTarget, JumpOp, Width } from './instruction.ts';
import { ALU, ALU64, type Fields, JMP, JMP32, K, type Row, row, X } from './row.ts';

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

export function arithmetic(): Row[] {
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
export function byteSwaps(): Row[] {
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

export function jumps(): Row[] {
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
export function calls(): Row[] {
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
