import type { Opcode, ValueType } from './opcodes.ts';
import { Code } from './writer.ts';

/** An expression: writes the code that leaves one value. It may be written several times. */
export type Value = (code: Code) => void;

/** A local of a function: an expression that can be set. */
export interface Local extends Value {
  readonly index: number;
}

export const i32 =
  (value: number): Value =>
  (code) =>
    void code.i32(value);
export const i64 =
  (value: number | bigint): Value =>
  (code) =>
    void code.i64(value);

/** An instruction over values, from left to right. */
export const op =
  (name: Opcode, ...operands: readonly Value[]): Value =>
  (code) => {
    for (const operand of operands) operand(code);
    code.op(name);
  };

/** The bytes at `address` plus `offset` of a memory. */
export const load =
  (name: Opcode, address: Value, offset = 0, memory = 0): Value =>
  (code) => {
    address(code);
    code.at(name, offset, memory);
  };

/** One of two values of the type. */
export const either =
  (type: ValueType, condition: Value, then: Value, otherwise: Value): Value =>
  (code) => {
    condition(code);
    code.block('if', type);
    then(code);
    code.op('else');
    otherwise(code);
    code.end();
  };

/** One of two values, both of which are reckoned. */
export const select = (condition: Value, then: Value, otherwise: Value): Value =>
  op('select', then, otherwise, condition);

/** The body of a function in expressions and statements; parameters are the first locals. */
export class Body {
  readonly code = new Code();
  readonly #parameters: number;
  readonly #locals: ValueType[] = [];

  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** For `ModuleWriter.body`. */
  get locals(): readonly (readonly [number, ValueType])[] {
    return this.#locals.map((type) => [1, type] as const);
  }

  parameter(index: number): Local {
    return localAt(index);
  }

  /** A local of its own; 0 at first. */
  local(type: ValueType): Local {
    return localAt(this.#parameters + this.#locals.push(type) - 1);
  }

  set(local: Local, value: Value): void {
    value(this.code);
    this.code.set(local.index);
  }

  store(name: Opcode, address: Value, offset: number, value: Value, memory = 0): void {
    address(this.code);
    value(this.code);
    this.code.at(name, offset, memory);
  }

  call(index: number, ...operands: readonly Value[]): void {
    for (const operand of operands) operand(this.code);
    this.code.call(index);
  }

  /** `size` bytes from one memory into another, or the same. */
  copy(to: Value, from: Value, size: Value, memories: readonly [to: number, from: number]): void {
    for (const operand of [to, from, size]) operand(this.code);
    this.code.op('memory.copy').unsigned(memories[0]).unsigned(memories[1]);
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition(this.code);
    this.code.block('if');
    then();
    if (otherwise !== undefined) {
      this.code.op('else');
      otherwise();
    }
    this.code.end();
  }

  /** A block that `leave(label)` ends early. */
  block(body: (label: number) => void): void {
    this.code.block('block');
    body(this.code.depth);
    this.code.end();
  }

  /** Runs once, and again for each `again(label)`. */
  loop(body: (label: number) => void): void {
    this.code.block('loop');
    body(this.code.depth);
    this.code.end();
  }

  /** Branches out of the block, or to the beginning of the loop, where the condition holds. */
  branchIf(label: number, condition: Value): void {
    condition(this.code);
    this.code.branch('br_if', label);
  }

  branch(label: number): void {
    this.code.branch('br', label);
  }

  return(value: Value): void {
    value(this.code);
    this.code.op('return');
  }
}

function localAt(index: number): Local {
  return Object.assign((code: Code) => void code.get(index), { index });
}
