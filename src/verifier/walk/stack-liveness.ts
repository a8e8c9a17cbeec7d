import { slots } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';

/**
 * Which stack slots may still be read: learned while walking, since only the walk knows what a pointer points to. A
 * slot is alive before an instruction when the instruction reads it, or when it is alive afterwards and the
 * instruction does not always write all of it. What is known only grows: an instruction that was never walked passes
 * nothing on, and when all paths from a checkpoint have ended, all that they read is known.
 *
 * Masks of 64 slots are two words.
 */
class Level {
  readonly live: Int32Array;
  readonly written: Int32Array;
  constructor(length: number) {
    this.live = new Int32Array(2 * length);
    this.written = new Int32Array(2 * length);
  }
}

/** One function in one chain of calls. */
export class CallChain {
  readonly #parent: CallChain | null;
  readonly #callsite: number;
  readonly #start: number;
  readonly #length: number;
  readonly #graph: Predecessors;
  readonly #seen: Uint8Array;
  /** By number of the frame whose slots they are: own and those of callers. */
  readonly #levels: (Level | undefined)[] = [];
  readonly #callees = new Map<number, CallChain>();
  readonly depth: number;

  constructor(graph: Predecessors, parent: CallChain | null, callsite: number, start: number, length: number) {
    this.#graph = graph;
    this.#parent = parent;
    this.#callsite = callsite;
    this.#start = start;
    this.#length = length;
    this.#seen = new Uint8Array(length);
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  callee(callsite: number, start: number, length: number): CallChain {
    const key = callsite * 0x10_0000 + start;
    let chain = this.#callees.get(key);
    if (chain === undefined) {
      chain = new CallChain(this.#graph, this, callsite, start, length);
      this.#callees.set(key, chain);
    }
    return chain;
  }

  /** The instruction at `pc` reads slots of a frame. */
  read(pc: number, frame: number, low: number, high: number): void {
    const at = 2 * (pc - this.#start);
    const { live } = this.#level(frame);
    if ((low & ~live[at]!) === 0 && (high & ~live[at + 1]!) === 0) return;
    live[at]! |= low;
    live[at + 1]! |= high;
    this.#spread(pc, frame);
  }

  /** The instruction at `pc` was walked and wrote all of these slots; none of any other frame. */
  wrote(pc: number, frame: number, low: number, high: number): void {
    const at = pc - this.#start;
    const first = this.#seen[at] === 0;
    this.#seen[at] = 1;
    if (first && frame >= 0 && (low | high) !== 0) {
      const { written } = this.#level(frame);
      written[2 * at] = low;
      written[2 * at + 1] = high;
    }
    for (let each = 0; each < this.#levels.length; each++) {
      const level = this.#levels[each];
      if (level === undefined) continue;
      const nowLow = each === frame ? low : 0;
      const nowHigh = each === frame ? high : 0;
      const { written } = level;
      if (!first && (written[2 * at]! & ~nowLow) === 0 && (written[2 * at + 1]! & ~nowHigh) === 0) continue;
      written[2 * at]! &= nowLow;
      written[2 * at + 1]! &= nowHigh;
      this.#inherit(pc, each, level);
    }
  }

  /** Whether the instruction has so far always written some slot. */
  mayWrite(pc: number): boolean {
    const at = 2 * (pc - this.#start);
    return this.#levels.some((level) => level !== undefined && (level.written[at]! | level.written[at + 1]!) !== 0);
  }

  wasWalked(pc: number): boolean {
    return this.#seen[pc - this.#start] === 1;
  }

  /** Whether the slot of frame `frame` is alive before `pc`, looking into this function alone. */
  alive(pc: number, frame: number, slot: number): boolean {
    const live = this.#levels[frame]?.live;
    return live !== undefined && (live[2 * (pc - this.#start) + (slot >> 5)]! & (1 << (slot & 31))) !== 0;
  }

  #level(frame: number): Level {
    this.#levels[frame] ??= new Level(this.#length + 2);
    return this.#levels[frame]!;
  }

  /** An instruction walked for the first time learns what is alive after it. */
  #inherit(pc: number, frame: number, level: Level): void {
    for (const successor of this.#graph.successors(pc)) {
      if (this.#pass(successor, pc, level)) this.#spread(pc, frame);
    }
  }

  #spread(from: number, frame: number): void {
    const level = this.#levels[frame]!;
    const open = [from];
    for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
      if (pc === this.#start && frame < this.depth) {
        const { live } = level;
        this.#parent!.read(this.#callsite, frame, live[0]!, live[1]!);
      }
      for (const before of this.#graph.predecessors(pc)) {
        if (this.#seen[before - this.#start] === 1 && this.#pass(pc, before, level)) open.push(before);
      }
    }
  }

  /** What is alive before `successor` is alive before `pc`, unless `pc` writes it. */
  #pass(successor: number, pc: number, { live, written }: Level): boolean {
    const from = 2 * (successor - this.#start);
    const to = 2 * (pc - this.#start);
    const low = live[to]! | (live[from]! & ~written[to]!);
    const high = live[to + 1]! | (live[from + 1]! & ~written[to + 1]!);
    if (low === live[to] && high === live[to + 1]) return false;
    live[to] = low;
    live[to + 1] = high;
    return true;
  }
}

/** Control flow by instruction within functions. */
interface Predecessors {
  predecessors(pc: number): readonly number[];
  successors(pc: number): readonly number[];
}

const NONE: readonly number[] = [];

export class StackLiveness {
  readonly #graph: Predecessors;
  readonly #program: Program;

  constructor(program: Program) {
    this.#program = program;
    const before: number[][] = [];
    const after: number[][] = [];
    for (const [pc, instruction] of program.instructions.entries()) {
      if (instruction === undefined) continue;
      const next = pc + slots(instruction);
      const { kind } = instruction;
      if (kind === 'exit') after[pc] = [];
      else if (kind === 'goto') after[pc] = [instruction.target];
      else if (kind === 'jump' || kind === 'may_goto') after[pc] = [next, instruction.target];
      else after[pc] = [next];
      for (const successor of after[pc]!) {
        before[successor] ??= [];
        before[successor].push(pc);
      }
    }
    this.#graph = { predecessors: (pc) => before[pc] ?? NONE, successors: (pc) => after[pc] ?? NONE };
  }

  /** The chain of the function that is verified by itself. */
  root(start: number): CallChain {
    return new CallChain(this.#graph, null, -1, start, this.lengthOf(start));
  }

  lengthOf(start: number): number {
    return this.#program.functions.find((each) => each.start === start)!.length;
  }
}
