import type { Catalogue } from '../../abi/catalogue.ts';
import type { Machine } from '../../abi/machine.ts';
import type { ProgramArray } from '../../abi/map.ts';
import type { Region } from '../../abi/memory.ts';
import type { RunnableProgram, Runner } from '../../abi/runner.ts';
import { ENDINGS, MAX_TAIL_CALLS, MAY_GOTO_LIMIT, STACK_BYTES } from '../call/limits.ts';
import { Registers } from '../call/registers.ts';
import type { Stack } from '../call/stack.ts';
import type { LinearMemory } from '../memory/memory.ts';
import { Access } from './access.ts';
import { type Code, codeOf, END } from './code.ts';
import { execute, type Run } from './execute.ts';
import { type Control, StepMaker } from './steps.ts';

/** r6 … r10 outlive a call (RFC 9669, section 2). */
const FIRST_SAVED = 6;
const SAVED = 5;
const FRAME_POINTER = 10;
/** Of a machine that has none. */
const NO_PACKET: Region = { name: 'no packet', start: 0, end: 0, writable: true, stride: 0, size: 0 };

export interface InterpreterOptions {
  readonly memory: LinearMemory;
  readonly machine: Machine;
  readonly helpers: Catalogue['helpers'];
  readonly kfuncs: Catalogue['kfuncs'];
  /** Every program that can run: the entry and those that tail calls reach, by the index that PROG_ARRAY slots hold. */
  readonly programs: readonly (RunnableProgram | undefined)[];
  readonly stack: Stack;
  /** Instructions that one run may execute. */
  readonly budget: number;
  /** Sees every step; costs nothing when absent. */
  readonly observe?: StepObserver;
}

/** Called before each instruction with the frame's number, 0 for the program's own, and r0 … r10 (and more behind). */
export type StepObserver = (program: RunnableProgram, pc: number, frame: number, registers: BigUint64Array) => void;

/** Where a call returns to. */
interface Frame {
  code: Code | undefined;
  pc: number;
  readonly saved: BigUint64Array;
}

/** The referee: it does one instruction after another as RFC 9669 reads, and checks each access. */
export class Interpreter implements Runner, Control {
  readonly #options: InterpreterOptions;
  readonly #registers: Registers;
  readonly #maker: StepMaker;
  readonly #codes = new Map<RunnableProgram, Code>();
  readonly #frames: readonly Frame[];
  readonly #run: Run;
  #tailCalls = 0;
  #mayGoto = 0;

  constructor(options: InterpreterOptions) {
    this.#options = options;
    const { memory, machine, budget, observe, programs } = options;
    const instructions = programs.reduce((sum, each) => sum + (each?.program.instructions.length ?? 0), 0);
    const registers = new Registers(instructions);
    this.#registers = registers;
    const packet = machine.packet?.region ?? NO_PACKET;
    const atStart = { code: undefined, fuel: 0, depth: 0, packetStart: 0, packetEnd: 0 };
    this.#run = { registers, memory, packet, budget, observe, ...atStart };
    this.#maker = new StepMaker(options, registers, new Access(this.#run, machine), this);
    this.#frames = Array.from({ length: options.stack.frames }, () => ({
      code: undefined,
      pc: 0,
      saved: new BigUint64Array(SAVED),
    }));
  }

  /** Instructions that the last run executed. */
  get executed(): number {
    return this.#run.budget - this.#run.fuel;
  }

  run(program: RunnableProgram, context: number, second = 0n): bigint {
    const { r } = this.#registers;
    this.#tailCalls = 0;
    this.#mayGoto = 0;
    this.#run.depth = 0;
    this.#run.fuel = this.#run.budget;
    this.#run.code = this.#codeOf(program);
    r.fill(0n, 0, FRAME_POINTER);
    r[1] = BigInt(context);
    r[2] = second;
    r[10] = BigInt(this.#options.stack.end);
    execute(this.#run, 0);
    return r[0]!;
  }

  /** Of the `Runner`: a frame whose exit ends the inner loop and gives control back to the helper. */
  call(pc: number, args: readonly bigint[]): bigint {
    const { r } = this.#registers;
    const own = r.slice(1, FIRST_SAVED);
    const target = this.enter(pc, pc, END);
    for (let i = 0; i < 5; i++) r[i + 1] = args[i] ?? 0n;
    execute(this.#run, target);
    r.set(own, 1);
    return r[0]!;
  }

  /** Of `Control`: a bpf-to-bpf call of the function at `target`. */
  enter(target: number, at: number, returnTo: number): number {
    const { frames } = this.#options.stack;
    if (this.#run.depth + 1 >= frames) throw ENDINGS.callDepth(at, frames);
    const { r } = this.#registers;
    const frame = this.#frames[this.#run.depth++]!;
    frame.code = this.#run.code;
    frame.pc = returnTo;
    for (let i = 0; i < SAVED; i++) frame.saved[i] = r[FIRST_SAVED + i]!;
    r[FRAME_POINTER] = r[FRAME_POINTER]! - BigInt(STACK_BYTES);
    this.#forget();
    return target;
  }

  /** Where a function begins, only r1 … r5 and r10 say anything: whatever else an unverified program reads is 0. */
  #forget(): void {
    const { r } = this.#registers;
    r[0] = 0n;
    r.fill(0n, FIRST_SAVED, FRAME_POINTER);
  }

  /** Of `Control`: exit from the innermost frame. */
  exit(): number {
    if (this.#run.depth === 0) return END;
    const { r } = this.#registers;
    const frame = this.#frames[--this.#run.depth]!;
    for (let i = 0; i < SAVED; i++) r[FIRST_SAVED + i] = frame.saved[i]!;
    r.fill(0n, 1, FIRST_SAVED);
    this.#run.code = frame.code;
    return frame.pc;
  }

  /** Of `Control`: bpf_tail_call with r2 a PROG_ARRAY and r3 an index. Falls through when the slot is empty. */
  tailCall(map: ProgramArray, index: number, next: number): number {
    const program = this.#options.programs[map.programAt(index)];
    if (program === undefined || this.#tailCalls >= MAX_TAIL_CALLS) return next;
    this.#tailCalls++;
    this.#run.code = this.#codeOf(program);
    this.#forget();
    return 0;
  }

  /** Of `Control`: whether one more round of a `may_goto` loop is allowed. */
  mayGoto(): boolean {
    return this.#mayGoto++ < MAY_GOTO_LIMIT;
  }

  #codeOf(program: RunnableProgram): Code {
    let code = this.#codes.get(program);
    if (code === undefined) {
      const { programType } = this.#options.machine;
      const isShared = this.#options.memory.shared !== undefined;
      code = codeOf(program, this.#registers, programType, isShared, (instruction, pc) =>
        this.#maker.step(program.program, instruction, pc),
      );
      this.#codes.set(program, code);
    }
    return code;
  }
}
