import type { Machine } from '../../abi/machine.ts';
import type { AtomicOp, Instruction, Size } from '../../isa/instruction.ts';
import type { Step } from './code.ts';
import { address, type Run } from './execute.ts';

/** Accesses that are more than a load or a store (RFC 9669, section 5), each checked against the regions of the memory. */
export class Access {
  readonly #run: Run;
  readonly #machine: Machine;

  constructor(run: Run, machine: Machine) {
    this.#run = run;
    this.#machine = machine;
  }

  /** A store of a word where the program type says that not every field of the context holds what was stored. */
  word(d: number, s: number, offset: number, pc: number): Step {
    const { view } = this.#run.memory;
    const { w } = this.#run.registers;
    const { context, programType } = this.#machine;
    const next = pc + 1;
    const end = context + programType.context.size;
    const stored = programType.stored!.bind(programType);
    return () => {
      const at = address(this.#run, d, offset, 4, true, pc);
      const value = w[2 * s]!;
      const isField = at >= context && at < end;
      view.setUint32(at, isField ? stored(at - context, value, view.getUint32(at, true)) : value, true);
      return next;
    };
  }

  /** Section 5.3 where threads share the memory. The verifier has seen to it that addresses are aligned. */
  shared({ op, size, fetch, dst, src, offset }: Instruction & { kind: 'atomic' }, pc: number): Step {
    const { memory, registers } = this.#run;
    const { r } = registers;
    const { buffer } = memory.u8;
    const next = pc + 1;
    if (op === 'load_acq') {
      const cells = new UNSIGNED[size](buffer);
      return () => {
        const at = address(this.#run, src, offset, size, false, pc);
        r[dst] = BigInt(Atomics.load(cells as Uint32Array, at / size));
        return next;
      };
    }
    const apply = size === 8 ? applyWide(new BigUint64Array(buffer), op) : applyNarrow(new UNSIGNED[size](buffer), op);
    return () => {
      const at = address(this.#run, dst, offset, size, true, pc);
      const old = apply(at / size, r[src]!, r[0]!);
      if (op === 'cmpxchg') r[0] = old;
      else if (fetch) r[src] = old;
      return next;
    };
  }

  /** Section 5.3. One CPU runs at a time, so that each is indivisible as it stands. */
  atomic(
    op: Exclude<AtomicOp, 'load_acq' | 'store_rel'>,
    size: Size,
    fetch: boolean,
    d: number,
    s: number,
    offset: number,
    pc: number,
  ): Step {
    const { view } = this.#run.memory;
    const { r } = this.#run.registers;
    const next = pc + 1;
    const get = (address: number) =>
      size === 8 ? view.getBigUint64(address, true) : BigInt(view.getUint32(address, true));
    const set = (address: number, value: bigint) =>
      size === 8
        ? view.setBigUint64(address, value, true)
        : view.setUint32(address, Number(value & 0xffff_ffffn), true);
    if (op === 'cmpxchg') {
      return () => {
        const at = address(this.#run, d, offset, size, true, pc);
        const old = get(at);
        if (old === (size === 8 ? r[0]! : r[0]! & 0xffff_ffffn)) set(at, r[s]!);
        r[0] = old;
        return next;
      };
    }
    const combine = COMBINE[op];
    return () => {
      const at = address(this.#run, d, offset, size, true, pc);
      const old = get(at);
      set(at, combine(old, r[s]!));
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

const UNSIGNED = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };

/** Carries out an operation on the cell of an index, with an operand, and what is expected there; gives what was there. */
type Apply = (index: number, operand: bigint, expected: bigint) => bigint;

const OPERATIONS = { add: 'add', or: 'or', and: 'and', xor: 'xor', xchg: 'exchange', store_rel: 'store' } as const;

function applyWide(cells: BigUint64Array, op: Exclude<AtomicOp, 'load_acq'>): Apply {
  if (op === 'cmpxchg') return (index, operand, expected) => Atomics.compareExchange(cells, index, expected, operand);
  const operation = OPERATIONS[op];
  return (index, operand) => Atomics[operation](cells, index, operand);
}

function applyNarrow(cells: Uint8Array | Uint16Array | Uint32Array, op: Exclude<AtomicOp, 'load_acq'>): Apply {
  const low = (value: bigint) => Number(value & 0xffff_ffffn);
  if (op === 'cmpxchg') {
    return (index, operand, expected) => BigInt(Atomics.compareExchange(cells, index, low(expected), low(operand)));
  }
  const operation = OPERATIONS[op];
  return (index, operand) => BigInt(Atomics[operation](cells, index, low(operand)));
}
