import type { Machine } from '../../abi/machine.ts';
import type { AtomicOp, Size } from '../../isa/instruction.ts';
import { reach } from '../call/reach.ts';
import type { Registers } from '../call/registers.ts';
import type { LinearMemory } from '../memory/memory.ts';
import type { Step } from './alu.ts';

/** Loads, stores and atomics (RFC 9669, section 5), each access checked against the regions of the memory. */
export class Access {
  readonly #memory: LinearMemory;
  readonly #registers: Registers;
  readonly #machine: Machine;

  constructor(memory: LinearMemory, registers: Registers, machine: Machine) {
    this.#memory = memory;
    this.#registers = registers;
    this.#machine = machine;
  }

  /** The address `register + offset` of `size` bytes that the program may read (or write), or a `RunError`. */
  address(register: number, offset: number, size: number, write: boolean, pc: number): number {
    const { w } = this.#registers;
    // Exact: a register is below 2^64, and what matters is whether the sum is a 32-bit address.
    return reach(this.#memory, w[2 * register + 1]! * 0x1_0000_0000 + w[2 * register]! + offset, size, write, pc);
  }

  load(size: Size, signed: boolean, d: number, s: number, offset: number, pc: number): Step {
    const { view, u8 } = this.#memory;
    const { r, s: rs, w } = this.#registers;
    const next = pc + 1;
    if (signed) {
      const read: Record<Size, (address: number) => bigint> = {
        1: (address) => BigInt(view.getInt8(address)),
        2: (address) => BigInt(view.getInt16(address, true)),
        4: (address) => BigInt(view.getInt32(address, true)),
        8: (address) => view.getBigInt64(address, true),
      };
      const value = read[size];
      return () => ((rs[d] = value(this.address(s, offset, size, false, pc))), next);
    }
    switch (size) {
      case 1:
        return () => ((w[2 * d] = u8[this.address(s, offset, 1, false, pc)]!), (w[2 * d + 1] = 0), next);
      case 2:
        return () => (
          (w[2 * d] = view.getUint16(this.address(s, offset, 2, false, pc), true)), (w[2 * d + 1] = 0), next
        );
      case 4:
        return () => (
          (w[2 * d] = view.getUint32(this.address(s, offset, 4, false, pc), true)), (w[2 * d + 1] = 0), next
        );
      case 8:
        return () => ((r[d] = view.getBigUint64(this.address(s, offset, 8, false, pc), true)), next);
    }
  }

  store(size: Size, d: number, s: number, offset: number, pc: number): Step {
    const { view, u8 } = this.#memory;
    const { r, w } = this.#registers;
    const next = pc + 1;
    switch (size) {
      case 1:
        return () => ((u8[this.address(d, offset, 1, true, pc)] = w[2 * s]!), next);
      case 2:
        return () => (view.setUint16(this.address(d, offset, 2, true, pc), w[2 * s]!, true), next);
      case 4:
        return this.#word(d, s, offset, pc);
      case 8:
        return () => (view.setBigUint64(this.address(d, offset, 8, true, pc), r[s]!, true), next);
    }
  }

  /** Where the program type says so, not every field of the context holds what was stored. */
  #word(d: number, s: number, offset: number, pc: number): Step {
    const { view } = this.#memory;
    const { w } = this.#registers;
    const { context, programType } = this.#machine;
    const next = pc + 1;
    if (programType?.stored === undefined) {
      return () => (view.setUint32(this.address(d, offset, 4, true, pc), w[2 * s]!, true), next);
    }
    const end = context + programType.context.size;
    const stored = programType.stored.bind(programType);
    return () => {
      const address = this.address(d, offset, 4, true, pc);
      const value = w[2 * s]!;
      const isField = address >= context && address < end;
      view.setUint32(address, isField ? stored(address - context, value, view.getUint32(address, true)) : value, true);
      return next;
    };
  }

  /** Section 5.3. One CPU runs at a time, so that each is indivisible as it stands. */
  atomic(op: AtomicOp, size: Size, fetch: boolean, d: number, s: number, offset: number, pc: number): Step {
    if (op === 'load_acq') return this.load(size, false, d, s, offset, pc);
    if (op === 'store_rel') return this.store(size, d, s, offset, pc);
    const { view } = this.#memory;
    const { r } = this.#registers;
    const next = pc + 1;
    const get = (address: number) =>
      size === 8 ? view.getBigUint64(address, true) : BigInt(view.getUint32(address, true));
    const set = (address: number, value: bigint) =>
      size === 8
        ? view.setBigUint64(address, value, true)
        : view.setUint32(address, Number(value & 0xffff_ffffn), true);
    if (op === 'cmpxchg') {
      return () => {
        const address = this.address(d, offset, size, true, pc);
        const old = get(address);
        if (old === (size === 8 ? r[0]! : r[0]! & 0xffff_ffffn)) set(address, r[s]!);
        r[0] = old;
        return next;
      };
    }
    const combine = COMBINE[op];
    return () => {
      const address = this.address(d, offset, size, true, pc);
      const old = get(address);
      set(address, combine(old, r[s]!));
      if (fetch) r[s] = old;
      return next;
    };
  }
}

const COMBINE = {
  add: (a: bigint, b: bigint) => a + b,
  or: (a: bigint, b: bigint) => a | b,
  and: (a: bigint, b: bigint) => a & b,
  xor: (a: bigint, b: bigint) => a ^ b,
  xchg: (_: bigint, b: bigint) => b,
};
