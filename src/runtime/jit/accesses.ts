import type { Facts, MemoryKind } from '../../abi/facts.ts';
import type { AtomicOp, Instruction, Size } from '../../isa/instruction.ts';
import type { Opcode } from '../../wasm/opcodes.ts';
import type { Code } from '../../wasm/writer.ts';
import type { JitOptions } from './environment.ts';
import type { Known } from './known.ts';

/** Below lies what is never mapped. */
const FIRST_ADDRESS = 65536;

const LOADS: Record<'signed' | 'unsigned', Record<Size, Opcode>> = {
  unsigned: { 1: 'i64.load8_u', 2: 'i64.load16_u', 4: 'i64.load32_u', 8: 'i64.load' },
  signed: { 1: 'i64.load8_s', 2: 'i64.load16_s', 4: 'i64.load32_s', 8: 'i64.load' },
};
const STORES: Record<Size, Opcode> = { 1: 'i64.store8', 2: 'i64.store16', 4: 'i64.store32', 8: 'i64.store' };

/** What an atomic stores from what was there and its operand; `xchg` stores the operand. */
const COMBINE: Partial<Record<AtomicOp, Opcode>> = { add: 'i64.add', or: 'i64.or', and: 'i64.and', xor: 'i64.xor' };

/** The same where threads share the memory (RFC 9669, section 5.3), by size: the names of the operations, and their order. */
const SHARED: Record<4 | 8, Readonly<Record<Exclude<AtomicOp, 'load_acq' | 'store_rel'>, Opcode>>> = {
  4: {
    add: 'i64.atomic.rmw32.add_u',
    or: 'i64.atomic.rmw32.or_u',
    and: 'i64.atomic.rmw32.and_u',
    xor: 'i64.atomic.rmw32.xor_u',
    xchg: 'i64.atomic.rmw32.xchg_u',
    cmpxchg: 'i64.atomic.rmw32.cmpxchg_u',
  },
  8: {
    add: 'i64.atomic.rmw.add',
    or: 'i64.atomic.rmw.or',
    and: 'i64.atomic.rmw.and',
    xor: 'i64.atomic.rmw.xor',
    xchg: 'i64.atomic.rmw.xchg',
    cmpxchg: 'i64.atomic.rmw.cmpxchg',
  },
};
const SHARED_LOADS: Record<Size, Opcode> = {
  1: 'i64.atomic.load8_u',
  2: 'i64.atomic.load16_u',
  4: 'i64.atomic.load32_u',
  8: 'i64.atomic.load',
};
const SHARED_STORES: Record<Size, Opcode> = {
  1: 'i64.atomic.store8',
  2: 'i64.atomic.store16',
  4: 'i64.atomic.store32',
  8: 'i64.atomic.store',
};

/** Memory that lies here as the verifier thinks it does, so that what it let through needs no look. */
const AS_PROVED: ReadonlySet<MemoryKind> = new Set<MemoryKind>([
  'stack',
  'packet',
  'packet-meta',
  'context',
  'map-value',
  'map-key',
  'memory',
]);

type Push = (register: number) => void;

interface Callees {
  readonly readable: number;
  readonly writable: number;
  readonly stored: number | undefined;
}

interface Temporaries {
  readonly wide: number;
  readonly other: number;
  readonly address: number;
}

/** Loads, stores and atomics (RFC 9669, section 5), and the check that each makes unless its address is a known one. */
export class Accesses {
  known: Known = [];
  readonly #options: JitOptions;
  readonly #code: Code;
  readonly #callees: Callees;
  readonly #locals: Temporaries;
  readonly #facts: Facts | undefined;
  readonly #fault: (pc: number, register: number) => void;

  constructor(
    options: JitOptions,
    code: Code,
    callees: Callees,
    locals: Temporaries,
    facts: Facts | undefined,
    fault: (pc: number, register: number) => void,
  ) {
    this.#options = options;
    this.#code = code;
    this.#callees = callees;
    this.#locals = locals;
    this.#facts = options.sanitize ? undefined : facts;
    this.#fault = fault;
  }

  #isProved(pc: number): boolean {
    const accesses = this.#facts?.accesses[pc] ?? [];
    return accesses.length > 0 && accesses.every(({ kind }) => AS_PROVED.has(kind));
  }

  /** Whether the verifier proved the arguments of the helper call at `pc`. */
  provesCall(pc: number): boolean {
    return this.#facts?.reached[pc] === 1;
  }

  /** Whether the bytes are known to be the program's: in a region that never moves. */
  isStatic(register: number, offset: number, size: number, write: boolean): boolean {
    const { memory, machine } = this.#options;
    const start = this.known[register];
    const address = start === undefined ? -1 : start + offset;
    if (address < FIRST_ADDRESS || address > 0xffff_ffff) return false;
    const region = memory.regionOf(address, size);
    return region !== undefined && region !== machine.packet?.region && (!write || region.writable);
  }

  /** Leaves a condition: whether the address that `push` leaves, 64 bits, may be touched. */
  condition(size: number, write: boolean, push: () => void): void {
    const code = this.#code;
    if (this.#options.sanitize) {
      push();
      code.i32(size).call(write ? this.#callees.writable : this.#callees.readable);
      return;
    }
    // One comparison: what lies below wraps around. The control block ends what is mapped.
    push();
    code.i64(FIRST_ADDRESS).op('i64.sub');
    code.i64(this.#options.control - FIRST_ADDRESS - size).op('i64.le_u');
  }

  /** Leaves the checked address, 32 bits, up to a number that the access itself is to add. */
  #address(register: number, offset: number, size: number, write: boolean, pc: number, push: Push): number {
    const code = this.#code;
    if (this.isStatic(register, offset, size, write)) {
      code.i32(this.known[register]! + offset);
      return 0;
    }
    if (this.#isProved(pc)) {
      push(register);
      code.op('i32.wrap_i64');
      if (offset >= 0) return offset;
      code.i32(offset).op('i32.add');
      return 0;
    }
    const { wide } = this.#locals;
    this.condition(size, write, () => {
      push(register);
      if (offset !== 0) code.i64(offset).op('i64.add');
      code.tee(wide);
    });
    code.op('i32.eqz').block('if');
    this.#fault(pc, register);
    code.end().get(wide).op('i32.wrap_i64');
    return 0;
  }

  /** Leaves the value. */
  load({ size, signed, src, offset }: Instruction & { kind: 'load' }, pc: number, push: Push): void {
    const added = this.#address(src, offset, size, false, pc, push);
    this.#code.at(LOADS[signed ? 'signed' : 'unsigned'][size], added);
  }

  store(
    { size, dst, src, offset }: Pick<Instruction & { kind: 'store' }, 'size' | 'dst' | 'src' | 'offset'>,
    pc: number,
    push: Push,
  ): void {
    const code = this.#code;
    const added = this.#address(dst, offset, size, true, pc, push);
    const value = () => ('reg' in src ? push(src.reg) : code.i64(src.imm));
    if (size === 4 && this.#callees.stored !== undefined && this.#mayBeContext(dst, offset, pc)) {
      const { address } = this.#locals;
      if (added !== 0) code.i32(added).op('i32.add');
      code.tee(address).get(address);
      value();
      code.op('i32.wrap_i64').call(this.#callees.stored).at('i32.store');
      return;
    }
    value();
    code.at(STORES[size], added);
  }

  #mayBeContext(register: number, offset: number, pc: number): boolean {
    if (this.isStatic(register, offset, 4, true)) return false;
    return !this.#isProved(pc) || this.#facts!.accesses[pc]!.some(({ kind }) => kind === 'context');
  }

  /** Section 5.3 where threads share the memory. The verifier has seen to it that addresses are aligned. */
  #shared(
    { op, size, fetch, dst, src, offset }: Instruction & { kind: 'atomic' },
    pc: number,
    push: Push,
    set: Push,
  ): void {
    const code = this.#code;
    const added = this.#address(op === 'load_acq' ? src : dst, offset, size, op !== 'load_acq', pc, push);
    if (op === 'load_acq') {
      code.atomic(SHARED_LOADS[size], added);
      set(dst);
      return;
    }
    if (op === 'cmpxchg') {
      push(0);
      if (size === 4) code.i64(0xffff_ffff).op('i64.and');
    }
    push(src);
    if (op === 'store_rel') {
      code.atomic(SHARED_STORES[size], added);
      return;
    }
    code.atomic(SHARED[size as 4 | 8][op], added);
    if (op === 'cmpxchg') set(0);
    else if (fetch) set(src);
    else code.op('drop');
  }

  /** Section 5.3. One CPU runs at a time, so that a load and a store are indivisible as they stand. */
  atomic(instruction: Instruction & { kind: 'atomic' }, pc: number, push: Push, set: Push): void {
    if (this.#options.memory.shared !== undefined) {
      this.#shared(instruction, pc, push, set);
      return;
    }
    const { op, size, fetch, dst, src, offset } = instruction;
    const code = this.#code;
    if (op === 'load_acq') {
      this.load({ kind: 'load', size, signed: false, dst, src, offset }, pc, push);
      set(dst);
      return;
    }
    if (op === 'store_rel') {
      this.store({ size, dst, src: { reg: src }, offset }, pc, push);
      return;
    }
    const { other: old, address } = this.#locals;
    const added = this.#address(dst, offset, size, true, pc, push);
    code.tee(address).get(address).at(LOADS.unsigned[size], added).set(old);
    if (op === 'cmpxchg') {
      // Stores what was there where it does not equal r0.
      push(src);
      code.get(old).get(old);
      push(0);
      if (size === 4) code.i64(0xffff_ffff).op('i64.and');
      code.op('i64.eq').op('select').at(STORES[size], added).get(old);
      set(0);
      return;
    }
    const combine = COMBINE[op];
    if (combine !== undefined) code.get(old);
    push(src);
    if (combine !== undefined) code.op(combine);
    code.at(STORES[size], added);
    if (fetch) {
      code.get(old);
      set(src);
    }
  }
}
