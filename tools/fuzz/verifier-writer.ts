import type { Random } from '../../src/base/random.ts';
import type { Register } from '../../src/isa/instruction.ts';
import { Code, type Label } from './verifier-code.ts';

/** What the generator believes a register to hold. It guides the choice of statements; being wrong is welcome. */
export type Kind =
  | 'none' // not to be read
  | 'scalar' // any number
  | 'small' // a number from 0 to at most 63
  | 'context'
  | 'packet' // data, or a pointer a little behind it
  | 'end' // data_end
  | 'stack' // a pointer into the frame
  | 'caller' // a pointer to 32 bytes of the caller's frame
  | 'value' // a map value, not null
  | 'record'; // a ring buffer's reserved record, to be submitted

export type FuzzedType = 'xdp' | 'sched_cls' | 'socket_filter';

/** A piece of a program: writes its instructions and says in the writer what they leave behind. */
export interface Statement {
  readonly weight: number;
  /** Holds statements of its own. */
  readonly deep?: boolean;
  readonly types?: readonly FuzzedType[];
  write(w: Writer): void;
}

/** r6 holds the context throughout the program's own function. */
export const CONTEXT: Register = 6;
export const STACK: Register = 10;
/** Words of the context that hold any number: rx_queue_index; len, mark, protocol. */
const UNKNOWN: Readonly<Record<FuzzedType, readonly number[]>> = {
  xdp: [12, 16],
  sched_cls: [0, 8, 16],
  socket_filter: [0, 8, 16],
};
export const DEEPEST = 3;

/** One program in the making: what is known at this point of it, and what its statements draw from. */
export class Writer {
  readonly code = new Code();
  readonly random: Random;
  readonly type: FuzzedType;
  /** One statement in so many is allowed to be wrong; 0 for never. */
  readonly carelessness: number;
  readonly #vocabulary: readonly Statement[];
  kinds: Kind[] = Array.from({ length: 11 }, () => 'none');
  /** Written bytes of the frame: offset from r10, negative. */
  stack = new Set<number>();
  /** Bytes from `data` that a comparison has proven. */
  proven = 0;
  /** Registers that statements must leave alone: loop counters, records. */
  readonly reserved = new Set<Register>();
  depth = 0;
  /** Where a check that fails goes: the function's way out. */
  out: Label;
  readonly functions: { readonly label: Label; readonly kinds: readonly Kind[] }[] = [];

  constructor(random: Random, type: FuzzedType, carelessness: number, vocabulary: readonly Statement[]) {
    this.#vocabulary = vocabulary;
    this.random = random;
    this.type = type;
    this.carelessness = carelessness;
    this.out = this.code.label();
  }

  chance(of: number): boolean {
    return this.random.below(of) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.random.below(from.length)]!;
  }

  /** True when this statement may break a rule. */
  careless(): boolean {
    return this.carelessness > 0 && this.chance(this.carelessness);
  }

  /** A register that may be overwritten. */
  free(): Register {
    const able = [0, 1, 2, 3, 4, 5, 7, 8, 9].filter((register) => !this.reserved.has(register));
    return this.pick(able);
  }

  /** A register that holds one of the kinds; careless writers take any. */
  holding(...kinds: readonly Kind[]): Register | undefined {
    if (this.careless()) {
      const written = this.kinds.flatMap((kind, register) => (kind === 'none' ? [] : [register]));
      return this.chance(12) ? this.random.below(11) : this.pick(written);
    }
    const able = this.kinds.flatMap((kind, register) => (kinds.includes(kind) ? [register] : []));
    return able.length === 0 ? undefined : this.pick(able);
  }

  /** As `holding` a number, and one that may be overwritten. */
  number(): Register {
    const able = this.kinds.flatMap((kind, register) =>
      (kind === 'scalar' || kind === 'small') && !this.reserved.has(register) ? [register] : [],
    );
    if (able.length > 0 && !this.chance(8)) return this.pick(able);
    const register = this.free();
    // Numbers that nobody knows make for more paths than constants do.
    if (this.kinds[CONTEXT] === 'context' && !this.chance(4))
      this.code.load(4, register, CONTEXT, this.pick(UNKNOWN[this.type]));
    else this.code.constant(register, this.chance(2) ? this.random.below(64) : this.random.u32() | 0);
    this.kinds[register] = 'scalar';
    return register;
  }

  /** A number from 0 to `most`, by a mask or a comparison. */
  small(most: number): Register {
    const register = this.number();
    const mask = 2 ** Math.floor(Math.log2(most + 1)) - 1;
    const bound = this.careless() ? most + 1 + this.random.below(8) : most;
    switch (this.random.below(4)) {
      case 0:
        this.code.jump('gt', register, bound, this.out);
        break;
      case 1: {
        const fine = this.code.label();
        this.code.jump('le', register, bound, fine);
        this.code.goto(this.out);
        this.code.place(fine);
        break;
      }
      case 2:
        this.code.jump('sgt', register, bound, this.out);
        if (!this.careless()) this.code.jump('slt', register, 0, this.out);
        break;
      default:
        this.code.alu('and', register, this.careless() ? mask * 2 + 1 : mask, this.chance(2) ? 32 : 64);
    }
    this.kinds[register] = 'small';
    return register;
  }

  afterCall(result: Kind): void {
    for (let register = 1; register <= 5; register++) this.kinds[register] = 'none';
    this.kinds[0] = result;
  }

  /** Comparisons with data_end do not outlive a helper that moves the packet. */
  packetMoved(): void {
    this.kinds = this.kinds.map((kind) => (kind === 'packet' || kind === 'end' ? 'none' : kind));
    this.proven = 0;
  }

  /** An initialised stretch of the frame of `size` bytes, aligned to 8; gives its offset from r10. */
  frame(size: number): number {
    const start = -8 * (Math.ceil(size / 8) + this.random.below(6));
    for (let offset = start; offset < start + size; offset += 8) {
      if (!this.stack.has(offset) && !this.careless()) this.code.store(8, STACK, offset, this.random.u32() | 0);
      for (let byte = 0; byte < 8; byte++) this.stack.add(offset + byte);
    }
    return start;
  }

  /** Writes what `write` writes, and forgets afterwards what it did to registers and frame, as a path around it exists. */
  aside(write: () => void): void {
    const before = { kinds: [...this.kinds], stack: new Set(this.stack), proven: this.proven };
    this.depth++;
    write();
    this.depth--;
    const after = this.kinds;
    this.kinds = before.kinds.map((kind, register) => (after[register] === kind ? kind : 'none'));
    this.stack = new Set([...before.stack].filter((byte) => this.stack.has(byte)));
    this.proven = Math.min(before.proven, this.proven);
  }

  statements(count: number): void {
    const able = this.#vocabulary.filter(
      ({ deep, types }) => (!deep || this.depth < DEEPEST) && (types?.includes(this.type) ?? true),
    );
    const weights = able.reduce((sum, { weight }) => sum + weight, 0);
    for (let left = count; left > 0; left--) {
      let at = this.random.below(weights);
      able.find(({ weight }) => (at -= weight) < 0)!.write(this);
    }
  }

  /** A function's end: r0 becomes a number, and the failed checks come here too. */
  end(): void {
    const done = this.code.label();
    const known = this.kinds[0] === 'scalar' || this.kinds[0] === 'small';
    if (this.out.used && known && this.chance(2)) this.code.goto(done);
    this.code.place(this.out);
    if (this.out.used || !(known || this.careless())) this.code.constant(0, this.random.below(4));
    this.code.place(done);
    this.code.exit();
  }
}
