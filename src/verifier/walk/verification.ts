import type { Catalogue } from '../../abi/catalogue.ts';
import type { Refusal } from '../../abi/verdict.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { FunctionSpec } from '../../object/spec.ts';
import { functionAt, type Program } from '../../program/program.ts';
import { Accesses } from '../facts/accesses.ts';
import { Lengths } from '../facts/lengths.ts';
import { type Rounds, roundsOf } from '../facts/rounds.ts';
import type { ContextRules } from '../other-types.ts';
import { type RefusalCode, refuse } from '../refuse.ts';
import type { Register } from '../state/register.ts';
import type { Frame, State } from '../state/state.ts';
import { functionsThatChangePackets } from './changes-packet.ts';
import { noteStackAccess } from './history.ts';
import type { LiveRegisters } from './live-registers.ts';
import { Loops } from './loops.ts';
import type { Points } from './points.ts';
import type { StackLiveness } from './stack-liveness.ts';

/** Called before each instruction that is followed, with the number of the frame and its registers r0 … r10. */
export type Observer = (pc: number, frame: number, registers: readonly Register[], state: State) => void;

export interface Limits {
  /** BPF_COMPLEXITY_LIMIT_INSNS of Linux. */
  readonly instructions: number;
  /** BPF_COMPLEXITY_LIMIT_JMP_SEQ of Linux. */
  readonly pendingPaths: number;
  /** CPUs that a machine may have: bpf_get_smp_processor_id gives less. Linux takes what its machine has. */
  readonly cpus: number;
}

/** CONFIG_NR_CPUS of Debian's kernels: no machine has more, so that what is accepted here is on every machine. */
const MOST_CPUS = 8192;

export const LINUX_LIMITS: Limits = { instructions: 1_000_000, pendingPaths: 8192, cpus: MOST_CPUS };

/** What the walk costs, as Linux counts it. */
export interface Cost {
  processed: number;
  /** Jumps of any kind, calls and exits included. */
  jumps: number;
  states: number;
}

/** A path that waits. */
export interface Pending {
  readonly state: State;
  readonly pc: number;
}

interface Setup {
  readonly program: Program;
  readonly catalogue: Catalogue;
  readonly type: ContextRules;
  readonly limits: Limits;
  readonly points: Points;
  readonly live: LiveRegisters;
  readonly observer: Observer | null;
  readonly stackLiveness: StackLiveness;
  readonly cost: Cost;
  readonly state: State;
  readonly faults: ReadonlyMap<number, Refusal> | null;
}

/** The verification of one program: where it is, what it knows, and what all of its rooms share. */
export class Verification {
  readonly program: Program;
  readonly catalogue: Catalogue;
  readonly type: ContextRules;
  readonly limits: Limits;
  readonly points: Points;
  readonly live: LiveRegisters;
  readonly observer: Observer | null;
  readonly stackLiveness: StackLiveness;
  /** Null where no loop can be met again before it is known to its end. */
  readonly loops: Loops | null;
  /** Instructions at fault by themselves, by pc; null when there are none. */
  readonly faults: ReadonlyMap<number, Refusal> | null;
  readonly cost: Cost;
  readonly pending: Pending[] = [];
  /** Bytes of stack that each function uses, by its start. */
  readonly stackDepth = new Map<number, number>();
  /** Global functions that are called, and so are verified on their own. */
  readonly globalsCalled = new Set<number>();
  /** By pc: whether it was followed. */
  readonly reached: Uint8Array;
  /** What was touched on the paths that were followed. */
  readonly accesses: Accesses;
  /** How often the loops of a program were gone through; null for one without loops. */
  readonly rounds: Rounds | null;
  readonly lengths = new Lengths();
  /** Where stack counts that may never have been written: see `Facts`. */
  readonly unwritten = new Set<number>();
  /** Instructions of the longest path, by the start of each function that is walked by itself. */
  readonly longest = new Map<number, number | null>();
  /** The function that is verified now: the program itself, or a global function. */
  subject: FunctionSpec;
  state: State;
  pc = 0;
  /** Where the path goes on, set by the step. */
  next = 0;
  refusal: Refusal | null = null;
  /** Slots that the current instruction wrote all of. */
  writtenFrame = -1;
  writtenLow = 0;
  writtenHigh = 0;
  #ids = 0;

  constructor(setup: Setup) {
    this.program = setup.program;
    this.catalogue = setup.catalogue;
    this.type = setup.type;
    this.limits = setup.limits;
    this.points = setup.points;
    this.live = setup.live;
    this.observer = setup.observer;
    this.stackLiveness = setup.stackLiveness;
    this.loops = setup.points.hasCallbacks ? new Loops(setup.program) : null;
    this.cost = setup.cost;
    this.reached = new Uint8Array(setup.program.instructions.length);
    this.accesses = new Accesses(setup.program.instructions.length);
    this.rounds = roundsOf(setup.program);
    this.faults = setup.faults;
    this.state = setup.state;
    this.subject = setup.program.functions[0]!;
  }

  get frame(): Frame {
    return this.state.frame;
  }

  get instruction(): Instruction {
    return this.program.instructions[this.pc]!;
  }

  register(index: number): Register {
    return this.state.frame.registers[index]!;
  }

  set(index: number, register: Register): true {
    this.state.frame.registers[index] = register;
    return true;
  }

  newId(): number {
    return ++this.#ids;
  }

  /** Ends the verification; false, so that a step can return it. */
  refuse(code: RefusalCode, message: string, help: string | null = null): false {
    this.refusal ??= refuse(this.program, code, this.pc, message, help);
    return false;
  }

  /** As `refuse`, where no single instruction is at fault. */
  refuseWhole(code: RefusalCode, message: string, help: string | null = null): false {
    this.refusal ??= refuse(this.program, code, null, message, help);
    return false;
  }

  /** Another path that goes on at `pc` from the state as it is now; undefined where there are too many. */
  fork(pc: number): State | undefined {
    if (this.pending.length >= this.limits.pendingPaths) {
      this.refuse(
        'too-many-paths',
        `${this.limits.pendingPaths} branches wait to be followed on one path`,
        'Make the program simpler, or put parts of it into global functions, which are verified once',
      );
      return undefined;
    }
    const state = this.state.clone();
    if (state.parent !== null) state.parent.branches++;
    this.pending.push({ state, pc });
    return state;
  }

  /** The instruction moves a whole slot: what decides on its value later looks there. */
  touchSlot(frame: number, slot: number): void {
    noteStackAccess(this.state, frame, slot);
  }

  /** The instruction writes all of a slot. */
  wroteSlot(frame: number, slot: number): void {
    this.writtenFrame = frame;
    if (slot < 32) this.writtenLow |= 1 << slot;
    else this.writtenHigh |= 1 << (slot & 31);
  }

  needStack(frame: Frame, bytes: number): void {
    if (bytes > (this.stackDepth.get(frame.start) ?? 0)) this.stackDepth.set(frame.start, bytes);
  }

  functionName(pc: number): string {
    return functionAt(this.program, pc)?.name ?? `the function at ${pc}`;
  }

  /** Whether the function at `start`, or one that it calls, may move the packet. */
  changesPacket(start: number): boolean {
    return this.#functionsThatChangePackets.has(start);
  }
  /** Whether anything that is called may move the packet. */
  get changesPackets(): boolean {
    return this.#functionsThatChangePackets.size > 0;
  }

  get #functionsThatChangePackets(): ReadonlySet<number> {
    this.#changing ??= functionsThatChangePackets(this.program, this.catalogue);
    return this.#changing;
  }
  #changing: ReadonlySet<number> | null = null;
}
