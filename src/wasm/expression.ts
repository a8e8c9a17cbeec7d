import { Body } from './body.ts';
import type { FunctionType } from './module.ts';
import { type OfBoth, type Opcode, ofBoth } from './opcodes.ts';
import type { Code } from './writer.ts';

/** A value, or a constant of the type of what it meets. */
export type Operand = Expression | number;
type Integer = 'i32' | 'i64';

const OP = {
  add: ofBoth('add'),
  sub: ofBoth('sub'),
  mul: ofBoth('mul'),
  div_u: ofBoth('div_u'),
  rem_u: ofBoth('rem_u'),
  and: ofBoth('and'),
  or: ofBoth('or'),
  xor: ofBoth('xor'),
  shl: ofBoth('shl'),
  shr_u: ofBoth('shr_u'),
  rotl: ofBoth('rotl'),
  eq: ofBoth('eq'),
  ne: ofBoth('ne'),
  lt_u: ofBoth('lt_u'),
  le_u: ofBoth('le_u'),
  gt_u: ofBoth('gt_u'),
  ge_u: ofBoth('ge_u'),
  lt_s: ofBoth('lt_s'),
  gt_s: ofBoth('gt_s'),
  eqz: ofBoth('eqz'),
};

/**
 * An expression: code that leaves one number on the stack. It is computed where it is written, each time anew; what is
 * needed twice goes into a local. Comparisons and divisions are unsigned unless their name says otherwise.
 */
export class Expression {
  readonly type: Integer;
  readonly write: (code: Code) => void;

  constructor(type: Integer, write: (code: Code) => void) {
    this.type = type;
    this.write = write;
  }

  #op(names: OfBoth, other: Operand, type = this.type): Expression {
    const second = asExpression(other, this.type);
    return new Expression(type, (code) => {
      this.write(code);
      second.write(code);
      code.op(names[this.type]);
    });
  }

  #compare(names: OfBoth, other: Operand): Expression {
    return this.#op(names, other, 'i32');
  }

  #unary(name: Opcode, type: Integer): Expression {
    return new Expression(type, (code) => {
      this.write(code);
      code.op(name);
    });
  }

  add(other: Operand): Expression {
    return other === 0 ? this : this.#op(OP.add, other);
  }
  sub(other: Operand): Expression {
    return other === 0 ? this : this.#op(OP.sub, other);
  }
  mul(other: Operand): Expression {
    return other === 1 ? this : this.#op(OP.mul, other);
  }
  div(other: Operand): Expression {
    return this.#op(OP.div_u, other);
  }
  rem(other: Operand): Expression {
    return this.#op(OP.rem_u, other);
  }
  and(other: Operand): Expression {
    return this.#op(OP.and, other);
  }
  or(other: Operand): Expression {
    return this.#op(OP.or, other);
  }
  xor(other: Operand): Expression {
    return this.#op(OP.xor, other);
  }
  shl(other: Operand): Expression {
    return this.#op(OP.shl, other);
  }
  shr(other: Operand): Expression {
    return this.#op(OP.shr_u, other);
  }
  rotl(other: Operand): Expression {
    return this.#op(OP.rotl, other);
  }
  eq(other: Operand): Expression {
    return other === 0 ? this.isZero() : this.#compare(OP.eq, other);
  }
  ne(other: Operand): Expression {
    return this.#compare(OP.ne, other);
  }
  lt(other: Operand): Expression {
    return this.#compare(OP.lt_u, other);
  }
  le(other: Operand): Expression {
    return this.#compare(OP.le_u, other);
  }
  gt(other: Operand): Expression {
    return this.#compare(OP.gt_u, other);
  }
  ge(other: Operand): Expression {
    return this.#compare(OP.ge_u, other);
  }
  ltSigned(other: Operand): Expression {
    return this.#compare(OP.lt_s, other);
  }
  gtSigned(other: Operand): Expression {
    return this.#compare(OP.gt_s, other);
  }

  isZero(): Expression {
    return this.#unary(OP.eqz[this.type], 'i32');
  }
  /** Zero bits in front, of 32. */
  leadingZeroes(): Expression {
    return this.#unary('i32.clz', 'i32');
  }
  /** Zero bits behind, of 32. */
  trailingZeroes(): Expression {
    return this.#unary('i32.ctz', 'i32');
  }
  /** To 32 bits, or zero-extended or sign-extended to 64. */
  narrow(): Expression {
    return this.type === 'i32' ? this : this.#unary('i32.wrap_i64', 'i32');
  }
  wide(): Expression {
    return this.type === 'i64' ? this : this.#unary('i64.extend_i32_u', 'i64');
  }
  wideSigned(): Expression {
    return this.#unary('i64.extend_i32_s', 'i64');
  }

  /** What lies at this address plus `offset`. */
  load(offset = 0, name: Opcode = 'i32.load'): Expression {
    return new Expression(name.startsWith('i64') ? 'i64' : 'i32', (code) => {
      this.write(code);
      code.at(name, offset);
    });
  }
  /** What an atomic instruction at this address gives. */
  atomic(name: Opcode, ...operands: readonly Operand[]): Expression {
    return new Expression(name.startsWith('i64') ? 'i64' : 'i32', (code) => {
      this.write(code);
      for (const operand of operands) asExpression(operand, 'i32').write(code);
      code.atomic(name);
    });
  }
  load64(offset = 0): Expression {
    return this.load(offset, 'i64.load');
  }

  /** One of two, both computed. */
  select(then: Operand, otherwise: Operand): Expression {
    const type = then instanceof Expression ? then.type : otherwise instanceof Expression ? otherwise.type : 'i32';
    return new Expression(type, (code) => {
      asExpression(then, type).write(code);
      asExpression(otherwise, type).write(code);
      this.write(code);
      code.op('select');
    });
  }
}

export class Variable extends Expression {
  readonly index: number;

  constructor(type: Integer, index: number) {
    super(type, (code) => code.get(index));
    this.index = index;
  }
}

export const i32 = (value: number): Expression => new Expression('i32', (code) => code.i32(value));
export const i64 = (value: number | bigint): Expression => new Expression('i64', (code) => code.i64(value));

/** A call, made each time that it is written. */
export const callOf = (index: number, type: Integer, ...operands: readonly Operand[]): Expression =>
  new Expression(type, (code) => {
    for (const operand of operands) asExpression(operand, 'i32').write(code);
    code.call(index);
  });

function asExpression(operand: Operand, type: Integer): Expression {
  if (operand instanceof Expression) return operand;
  return type === 'i32' ? i32(operand) : i64(operand);
}

const LOADS: readonly (readonly [bytes: number, load: Opcode, store: Opcode])[] = [
  [8, 'i64.load', 'i64.store'],
  [4, 'i32.load', 'i32.store'],
  [2, 'i32.load16_u', 'i32.store16'],
  [1, 'i32.load8_u', 'i32.store8'],
];

/** Copies and comparisons of at most so many bytes are made of loads and stores. */
const IN_PIECES = 64;

/** Bytes 0 … size − 1 in pieces that one load takes. */
function piecesOf(size: number): { readonly at: number; readonly load: Opcode; readonly store: Opcode }[] {
  const pieces: { at: number; load: Opcode; store: Opcode }[] = [];
  let at = 0;
  for (const [bytes, load, store] of LOADS) for (; size - at >= bytes; at += bytes) pieces.push({ at, load, store });
  return pieces;
}

/** A function in typed expressions, written statement by statement. */
export class Routine {
  readonly type: FunctionType;
  readonly parameters: readonly Variable[];
  readonly body: Body;

  constructor(parameters: readonly Integer[], results: readonly Integer[]) {
    this.type = { parameters, results };
    this.parameters = parameters.map((type, index) => new Variable(type, index));
    this.body = new Body(parameters.length);
  }

  #variable(type: Integer): Variable {
    return new Variable(type, this.body.local(type).index);
  }

  /** A new variable that holds a value. */
  let(value: Operand): Variable {
    const variable = this.#variable(value instanceof Expression ? value.type : 'i32');
    this.set(variable, value);
    return variable;
  }

  set(variable: Variable, value: Operand): void {
    asExpression(value, variable.type).write(this.body.code);
    this.body.code.set(variable.index);
  }

  store(address: Operand, value: Operand, offset = 0, name?: Opcode): void {
    const what = asExpression(value, 'i32');
    this.body.store(name ?? `${what.type}.store`, asExpression(address, 'i32').write, offset, what.write);
  }

  if(condition: Expression, then: () => void, otherwise?: () => void): void {
    this.body.if(condition.write, then, otherwise);
  }

  /** One of two 32-bit numbers, of which only that one is computed; there may be statements before either. */
  either(condition: Expression, then: () => Operand, otherwise: () => Operand): Variable {
    const variable = this.#variable('i32');
    this.if(
      condition,
      () => this.set(variable, then()),
      () => this.set(variable, otherwise()),
    );
    return variable;
  }

  /** `leave` goes behind it. */
  block(statements: (leave: () => void) => void): void {
    this.body.block((out) => statements(() => this.body.branch(out)));
  }

  /** For as long as the condition holds. `leave` goes behind the loop. */
  while(condition: Expression, round: (leave: () => void) => void): void {
    const { body } = this;
    body.block((out) =>
      body.loop((top) => {
        body.branchIf(out, condition.isZero().write);
        round(() => body.branch(out));
        body.branch(top);
      }),
    );
  }

  /** A value of the function's type, cut or zero-extended to it. */
  return(value?: Operand): void {
    const [type] = this.type.results as readonly Integer[];
    if (value === undefined || type === undefined) return void this.body.code.op('return');
    const result = asExpression(value, type);
    this.body.return((type === 'i32' ? result.narrow() : result.wide()).write);
  }

  /** What a call gives. It is made here, once. */
  call(index: number, type: Integer, ...operands: readonly Operand[]): Variable {
    return this.let(callOf(index, type, ...operands));
  }

  /** A call of what gives nothing. */
  do(index: number, ...operands: readonly Operand[]): void {
    this.body.call(index, ...operands.map((operand) => asExpression(operand, 'i32').write));
  }

  /** `size` bytes from one address to another, plus offsets; they may overlap. */
  copy(to: Expression, from: Expression, size: number, offsets = { to: 0, from: 0 }): void {
    if (size > IN_PIECES) {
      this.move(to.add(offsets.to), from.add(offsets.from), i32(size));
      return;
    }
    // All is read before anything is written.
    const pieces = piecesOf(size).map((piece) => ({
      ...piece,
      value: this.let(from.load(offsets.from + piece.at, piece.load)),
    }));
    for (const { at, store, value } of pieces) this.store(to, value, offsets.to + at, store);
  }

  move(to: Expression, from: Expression, size: Expression): void {
    this.body.copy(to.write, from.write, size.write, [0, 0]);
  }

  /** What threads that share the memory see of others is in order on both sides of it. */
  fence(): void {
    this.body.code.op('atomic.fence').byte(0);
  }

  zero(at: Expression, size: Expression): void {
    const { code } = this.body;
    for (const value of [at, i32(0), size]) value.write(code);
    code.fill();
  }
}

/** Whether `size` bytes at two addresses, the second plus an offset, are the same. */
export function equalBytes(one: Expression, other: Expression, size: number, offset = 0): Expression {
  const differences = piecesOf(size).map(({ at, load }) =>
    one
      .load(at, load)
      .xor(other.load(offset + at, load))
      .wide(),
  );
  return differences.reduce((all, next) => all.or(next)).isZero();
}
