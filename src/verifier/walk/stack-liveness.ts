import { slots } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';

/**
 * Which stack slots may still be read: learned while walking, since only the walk knows what a pointer points to. A
 * slot is alive before an instruction when the instruction was seen to read it, or when it is alive after it by the
 * flow of control and the instruction did not write all of it each time.
 *
 * Masks of 64 slots are two words.
 */
class Level {
  readonly live: Int32Array;
  readonly read: Int32Array;
  readonly written: Int32Array;
  constructor(length: number) {
    this.live = new Int32Array(2 * length);
    this.read = new Int32Array(2 * length);
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
    const level = this.#level(frame);
    if ((low & ~level.read[at]!) === 0 && (high & ~level.read[at + 1]!) === 0) return;
    level.read[at]! |= low;
    level.read[at + 1]! |= high;
    this.#update(pc, frame, level);
  }

  /** The instruction at `pc` was walked and wrote all of these slots; none of any other frame. */
  wrote(pc: number, frame: number, low: number, high: number): void {
    const at = pc - this.#start;
    const first = this.#seen[at] === 0;
    this.#seen[at] = 1;
    if (first) {
      if (frame < 0 || (low | high) === 0) return;
      const level = this.#level(frame);
      level.written[2 * at] = low;
      level.written[2 * at + 1] = high;
      this.#update(pc, frame, level);
      return;
    }
    for (const [each, level] of this.#levels.entries()) {
      if (level === undefined) continue;
      const { written } = level;
      const nowLow = written[2 * at]! & (each === frame ? low : 0);
      const nowHigh = written[2 * at + 1]! & (each === frame ? high : 0);
      if (nowLow === written[2 * at] && nowHigh === written[2 * at + 1]) continue;
      written[2 * at] = nowLow;
      written[2 * at + 1] = nowHigh;
      this.#update(pc, each, level);
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
    while (this.#levels.length <= frame) this.#levels.push(undefined);
    this.#levels[frame] ??= new Level(this.#length + 2);
    return this.#levels[frame]!;
  }

  /** What is alive before `from` may have changed, and so what is alive before whatever leads there. */
  #update(from: number, frame: number, { live, read, written }: Level): void {
    const open = [from];
    for (let pc = open.pop(); pc !== undefined; pc = open.pop()) {
      const at = 2 * (pc - this.#start);
      let low = 0;
      let high = 0;
      for (const successor of this.#graph.successors(pc)) {
        const next = 2 * (successor - this.#start);
        low |= live[next]!;
        high |= live[next + 1]!;
      }
      low = (low & ~written[at]!) | read[at]!;
      high = (high & ~written[at + 1]!) | read[at + 1]!;
      if (low === live[at] && high === live[at + 1]) continue;
      live[at] = low;
      live[at + 1] = high;
      if (pc === this.#start && frame < this.depth) this.#parent!.read(this.#callsite, frame, low, high);
      for (const before of this.#graph.predecessors(pc)) open.push(before);
    }
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
