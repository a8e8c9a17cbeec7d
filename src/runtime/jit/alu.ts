import type { AluOp, Instruction, JumpOp } from '../../isa/instruction.ts';
import { ofBoth, type ValueType } from '../../wasm/opcodes.ts';
import type { Code } from '../../wasm/writer.ts';

/** Puts the two operands on the stack, in the width of the instruction. */
export interface Operands {
  readonly type: 'i32' | 'i64';
  dst(): void;
  src(): void;
  /** The second operand where it is an immediate, sign-extended. */
  readonly imm: number | undefined;
}

type Rule = (code: Code, operands: Operands) => void;

const binary = (name: string): Rule => {
  const names = ofBoth(name);
  return (code, { type, dst, src }) => {
    dst();
    src();
    code.op(names[type]);
  };
};

const constant = (code: Code, type: ValueType, value: number) => (type === 'i32' ? code.i32(value) : code.i64(value));

/** `when` is on the stack as a condition; one of two values. */
function either(code: Code, type: ValueType, then: () => void, otherwise: () => void): void {
  code.block('if', type);
  then();
  code.op('else');
  otherwise();
  code.end();
}

/** RFC 9669, section 4.1: dividing by 0 gives 0; the remainder by 0 is the dividend. */
const dividing =
  (name: 'div_u' | 'div_s' | 'rem_u' | 'rem_s'): Rule =>
  (code, operands) => {
    const { type, dst, src, imm } = operands;
    const byZero = () => (name.startsWith('div') ? void constant(code, type, 0) : dst());
    const divide = () => {
      if (name !== 'div_s') return binary(name)(code, operands);
      // The least number divided by −1 is itself here, a trap in WebAssembly (section 4.3.2, idiv_s).
      const negate = () => {
        constant(code, type, 0);
        dst();
        code.op(`${type}.sub`);
      };
      if (imm === -1) return negate();
      if (imm !== undefined) return binary(name)(code, operands);
      src();
      constant(code, type, -1).op(`${type}.eq`);
      either(code, type, negate, () => binary(name)(code, operands));
    };
    if (imm === 0) return byZero();
    if (imm !== undefined) return divide();
    src();
    code.op(`${type}.eqz`);
    either(code, type, byZero, divide);
  };

const extending =
  (bits: 8 | 16): Rule =>
  (code, { type, src }) => {
    src();
    code.op(`${type}.extend${bits}_s`);
  };

/** RFC 9669, section 4.1; shifts take the count modulo the width in both worlds. */
const ALU: Record<AluOp, Rule> = {
  add: binary('add'),
  sub: binary('sub'),
  mul: binary('mul'),
  div: dividing('div_u'),
  sdiv: dividing('div_s'),
  mod: dividing('rem_u'),
  smod: dividing('rem_s'),
  or: binary('or'),
  and: binary('and'),
  xor: binary('xor'),
  lsh: binary('shl'),
  rsh: binary('shr_u'),
  arsh: binary('shr_s'),
  neg: (code, { type, dst }) => {
    constant(code, type, 0);
    dst();
    code.op(`${type}.sub`);
  },
  mov: (_code, { src }) => src(),
  movsx8: extending(8),
  movsx16: extending(16),
  movsx32: (code, { type, src }) => {
    src();
    if (type === 'i64') code.op('i64.extend32_s');
  },
};

/** Leaves the result on the stack, in the width of the instruction. */
export function writeAlu(code: Code, op: AluOp, operands: Operands): void {
  ALU[op](code, operands);
}

/** RFC 9669, section 4.3. Leaves a condition on the stack. */
const COMPARE: Record<JumpOp, Rule> = {
  eq: binary('eq'),
  ne: binary('ne'),
  gt: binary('gt_u'),
  ge: binary('ge_u'),
  lt: binary('lt_u'),
  le: binary('le_u'),
  sgt: binary('gt_s'),
  sge: binary('ge_s'),
  slt: binary('lt_s'),
  sle: binary('le_s'),
  set: (code, operands) => {
    ALU.and(code, operands);
    constant(code, operands.type, 0).op(NOT_EQUAL[operands.type]);
  },
};
const NOT_EQUAL = ofBoth('ne');
const IS_ZERO = ofBoth('eqz');

export function writeCondition(code: Code, op: JumpOp, operands: Operands): void {
  if (op === 'eq' && operands.imm === 0) {
    operands.dst();
    code.op(IS_ZERO[operands.type]);
  } else COMPARE[op](code, operands);
}

/** RFC 9669, section 4.2, on a little-endian machine. `value` and `word` are an i64 and an i32 local for the time being. */
export function writeEndian(
  code: Code,
  { op, bits }: Instruction & { kind: 'endian' },
  dst: () => void,
  word: number,
): void {
  if (op === 'le') {
    dst();
    if (bits === 16) code.i64(0xffff).op('i64.and');
    if (bits === 32) code.i64(0xffff_ffff).op('i64.and');
    return;
  }
  const low = () => {
    dst();
    code.op('i32.wrap_i64');
  };
  if (bits === 16) {
    low();
    code.tee(word).i32(0xff).op('i32.and').i32(8).op('i32.shl');
    code.get(word).i32(8).op('i32.shr_u').i32(0xff).op('i32.and').op('i32.or').op('i64.extend_i32_u');
  } else if (bits === 32) {
    low();
    swapWord(code, word);
  } else {
    low();
    swapWord(code, word);
    code.i64(32).op('i64.shl');
    dst();
    code.i64(32).op('i64.shr_u').op('i32.wrap_i64');
    swapWord(code, word);
    code.op('i64.or');
  }
}

/** The i32 on the stack with its bytes reversed, zero-extended: odd and even bytes are rotated into place apart. */
function swapWord(code: Code, word: number): void {
  code.tee(word).i32(8).op('i32.rotl').i32(0x00ff00ff).op('i32.and');
  code.get(word).i32(8).op('i32.rotr').i32(0xff00ff00).op('i32.and').op('i32.or').op('i64.extend_i32_u');
}
