import { Expression, type Routine } from './expression.ts';
import type { Opcode } from './opcodes.ts';
import type { Code } from './writer.ts';

/** An expression that leaves 16 bytes on the stack; comparisons give all ones for those of which they hold. */
export class Vector {
  readonly write: (code: Code) => void;

  constructor(write: (code: Code) => void) {
    this.write = write;
  }

  static load(address: Expression, offset = 0): Vector {
    return new Vector((code) => {
      address.write(code);
      code.at('v128.load', offset);
    });
  }

  static of(bytes: readonly number[]): Vector {
    return new Vector((code) => code.v128(bytes));
  }

  /** A byte in every place. */
  static splat(byte: Expression): Vector {
    return new Vector((code) => {
      byte.write(code);
      code.op('i8x16.splat');
    });
  }

  #op(name: Opcode, other: Vector): Vector {
    return new Vector((code) => {
      this.write(code);
      other.write(code);
      code.op(name);
    });
  }

  and = (other: Vector): Vector => this.#op('v128.and', other);
  or = (other: Vector): Vector => this.#op('v128.or', other);
  sub = (other: Vector): Vector => this.#op('i8x16.sub', other);
  eq = (other: Vector): Vector => this.#op('i8x16.eq', other);
  /** Of signed bytes. */
  ge = (other: Vector): Vector => this.#op('i8x16.ge_s', other);
  /** The bytes at these indices, 0 where there is none. */
  pick = (indices: Vector): Vector => this.#op('i8x16.swizzle', indices);

  /** Where its bits are set those of one, else those of the other. */
  choose(then: Vector, otherwise: Vector): Vector {
    return new Vector((code) => {
      then.write(code);
      otherwise.write(code);
      this.write(code);
      code.op('v128.bitselect');
    });
  }

  /** The highest bit of each byte, the first byte's as bit 0. */
  bits(): Expression {
    return new Expression('i32', (code) => {
      this.write(code);
      code.op('i8x16.bitmask');
    });
  }
}

/** A new variable of a routine, which holds what the vector is now. */
export function letVector(routine: Routine, vector: Vector): Vector {
  const { index } = routine.body.local('v128');
  vector.write(routine.body.code);
  routine.body.code.set(index);
  return new Vector((code) => code.get(index));
}

export function storeVector(routine: Routine, address: Expression, vector: Vector, offset = 0): void {
  routine.body.store('v128.store', address.write, offset, vector.write);
}
