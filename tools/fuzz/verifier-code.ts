import { concatBytes } from '../../src/base/bytes.ts';
import { decode, encode } from '../../src/isa/codec.ts';
import type {
  AluOp,
  AtomicOp,
  Instruction,
  JumpOp,
  Operand,
  Register,
  Size,
  Width,
} from '../../src/isa/instruction.ts';
import { slots } from '../../src/isa/instruction.ts';

/** A place in a program that is being written; jumps and calls name it before it is known. */
export interface Label {
  line: number | null;
  /** Whether anything names it. */
  used: boolean;
}

type Line = { readonly make: (pc: number) => Instruction; readonly label: Label };

const START: Label = { line: 0, used: true };

/** Writes instructions one behind the other, with labels. */
export class Code {
  readonly #lines: Line[] = [];

  get length(): number {
    return this.#lines.length;
  }

  label(): Label {
    return { line: null, used: false };
  }

  place(label: Label): void {
    label.line = this.#lines.length;
  }

  push(instruction: Instruction): void {
    this.#lines.push({ make: () => instruction, label: START });
  }

  #to(label: Label, make: Line['make']): void {
    label.used = true;
    this.#lines.push({ make, label });
  }

  alu(op: AluOp, dst: Register, src: Operand | number, width: Width = 64): void {
    this.push({ kind: 'alu', op, width, dst, src: typeof src === 'number' ? { imm: src } : src });
  }

  mov(dst: Register, src: Register): void {
    this.alu('mov', dst, { reg: src });
  }

  constant(dst: Register, value: number, width: Width = 64): void {
    this.alu('mov', dst, value, width);
  }

  load(size: Size, dst: Register, src: Register, offset: number, signed = false): void {
    this.push({ kind: 'load', size, signed, dst, src, offset });
  }

  store(size: Size, dst: Register, offset: number, src: Operand | number): void {
    this.push({ kind: 'store', size, dst, offset, src: typeof src === 'number' ? { imm: src } : src });
  }

  atomic(op: AtomicOp, size: Size, fetch: boolean, dst: Register, offset: number, src: Register): void {
    this.push({ kind: 'atomic', op, size, fetch, dst, offset, src });
  }

  map(dst: Register, map: number): void {
    this.push({ kind: 'imm64', dst, value: { type: 'map', map } });
  }

  helper(id: number): void {
    this.push({ kind: 'call', target: { type: 'helper', id } });
  }

  jump(op: JumpOp, dst: Register, src: Operand | number, label: Label, width: Width = 64): void {
    const operand = typeof src === 'number' ? { imm: src } : src;
    this.#to(label, (target) => ({ kind: 'jump', op, width, dst, src: operand, target }));
  }

  goto(label: Label): void {
    this.#to(label, (target) => ({ kind: 'goto', target, long: false }));
  }

  mayGoto(label: Label): void {
    this.#to(label, (target) => ({ kind: 'may_goto', target }));
  }

  call(label: Label): void {
    this.#to(label, (pc) => ({ kind: 'call', target: { type: 'local', pc } }));
  }

  exit(): void {
    this.push({ kind: 'exit' });
  }

  bytes(): Uint8Array {
    const at: number[] = [0];
    for (const line of this.#lines) at.push(at.at(-1)! + slots(line.make(0)));
    return concatBytes(this.#lines.map(({ make, label }, i) => encode(make(at[label.line ?? i + 1]!), at[i]!)));
  }
}

/**
 * The shortest program found, by leaving out instructions one after the other (and in stretches at first), for which
 * `stays` still holds. Jumps to what was left out go to what came behind it.
 */
export function minimise(bytes: Uint8Array, stays: (bytes: Uint8Array) => boolean): Uint8Array {
  let best = bytes;
  for (let stretch = 8; stretch >= 1; stretch = stretch > 1 ? stretch >> 1 : 0) {
    for (let changed = true; changed; ) {
      changed = false;
      for (let first = 0; first < best.length / 8; first++) {
        const shorter = without(best, first, stretch);
        if (shorter !== undefined && stays(shorter)) {
          best = shorter;
          changed = true;
          first--;
        }
      }
      if (stretch > 1) break;
    }
  }
  return best;
}

/** The program without `count` instructions from slot `first` on; undefined where it cannot be written. */
function without(bytes: Uint8Array, first: number, count: number): Uint8Array | undefined {
  const instructions = decode(bytes);
  if (instructions[first] === undefined) return undefined;
  const kept: { readonly pc: number; readonly instruction: Instruction }[] = [];
  let dropped = 0;
  for (const [pc, instruction] of instructions.entries()) {
    if (instruction === undefined) continue;
    if (instruction.kind === 'invalid') return undefined;
    if (pc >= first && dropped < count) dropped++;
    else kept.push({ pc, instruction });
  }
  const moved = new Map<number, number>();
  let at = 0;
  for (const { pc, instruction } of kept) {
    moved.set(pc, at);
    at += slots(instruction);
  }
  const to = (old: number) => {
    for (let pc = old; pc < instructions.length; pc++) if (moved.has(pc)) return moved.get(pc)!;
    return undefined;
  };
  const parts: Uint8Array[] = [];
  for (const { pc, instruction } of kept) {
    const written = retarget(instruction, to);
    if (written === undefined) return undefined;
    parts.push(encode(written, moved.get(pc)!));
  }
  return parts.length === 0 ? undefined : concatBytes(parts);
}

function retarget(instruction: Instruction, to: (pc: number) => number | undefined): Instruction | undefined {
  if (instruction.kind === 'goto' || instruction.kind === 'jump' || instruction.kind === 'may_goto') {
    const target = to(instruction.target);
    return target === undefined ? undefined : { ...instruction, target };
  }
  if (instruction.kind === 'call' && instruction.target.type === 'local') {
    const pc = to(instruction.target.pc);
    return pc === undefined ? undefined : { kind: 'call', target: { type: 'local', pc } };
  }
  return instruction;
}
