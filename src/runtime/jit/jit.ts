import { CONTROL_BYTES, SLOTS } from '../../abi/control.ts';
import { RunError, type RunnableProgram, type Runner } from '../../abi/runner.ts';
import { invariant } from '../../base/errors.ts';
import type { FunctionType } from '../../wasm/module.ts';
import { moduleText } from '../../wasm/text.ts';
import type { Code } from '../../wasm/writer.ts';
import { bindCall } from '../call/arguments.ts';
import { type Callee, helperCallee, kfuncCallee } from '../call/callee.ts';
import { legacyLoad } from '../call/constants.ts';
import { ENDINGS, MAX_TAIL_CALLS, STACK_BYTES } from '../call/limits.ts';
import { Registers } from '../call/registers.ts';
import { programArray } from '../call/tail-call.ts';
import { FUNCTION } from './convention.ts';
import { callsBack, type JitOptions } from './environment.ts';
import { errorAt } from './faults.ts';
import { type ImportName, writeModule, writeRun } from './module.ts';
import { symbolsOf } from './symbols.ts';
import { tooLarge, type Unit, unitOf } from './unit.ts';

/** A unit whose module stands. */
interface Loaded {
  readonly unit: Unit;
  readonly exports: Readonly<Record<string, (argument?: number) => void>>;
  /** Where tail calls find it. */
  readonly tableIndex: number;
}

/** A program's function, for a module that imports it with this type. */
export interface JitEntry {
  readonly run: CallableFunction;
  readonly type: FunctionType;
  /** Writes a run of it, on what the control block and the context say, where `memory` is the machine's; leaves r0. */
  writeRun(code: Code, target: number, memory: number): void;
}

/** The frame whose helper call is under way, for a helper that calls back. */
interface CallingFrame {
  readonly program: RunnableProgram;
  readonly frame: bigint;
  readonly depth: number;
}

/** Ends a run with r0 = 0: a legacy load beyond the packet. */
const PROGRAM_END = Symbol('program end');

/**
 * Runs programs as WebAssembly. A module is made of each unit when it first runs: a program from its entry, or from a
 * callback's. What it does, to the last instruction, the bytes of memory and the words of an error, is what the
 * interpreter does.
 */
export class Jit implements Runner {
  readonly #options: JitOptions;
  readonly #registers: Registers;
  /** The control block as words. */
  readonly #control: Uint32Array;
  readonly #fuel: BigInt64Array;
  readonly #budget: bigint;
  /** r10 of the program's own frame. */
  readonly #frame: bigint;
  readonly #table = new WebAssembly.Table({ element: 'anyfunc', initial: 0 });
  readonly #loaded = new Map<RunnableProgram, Map<string, Loaded>>();
  #calling: CallingFrame | undefined;

  constructor(options: JitOptions) {
    this.#options = options;
    const { buffer } = options.memory.u8;
    this.#registers = new Registers(0, buffer, options.control);
    this.#control = new Uint32Array(buffer, options.control, CONTROL_BYTES / 4);
    this.#fuel = new BigInt64Array(buffer, options.control + 8 * SLOTS.fuel, 1);
    this.#budget = BigInt(options.budget);
    this.#frame = BigInt(options.stack.end);
    // The first places of the table are the programs', by index: where generated tail calls find them.
    this.#table.grow(options.programs.length);
    // What cannot be translated shows before the first packet.
    for (const program of options.programs) {
      if (program === undefined) continue;
      this.#load(program, 0, true);
      for (const pc of callbacksOf(program)) this.#load(program, pc, false);
    }
  }

  /** The code that is made of a program, for people to read. */
  text(program: RunnableProgram): string {
    const { bytes } = writeModule(this.#options, unitOf(this.#options, program, 0, true), false);
    return moduleText(bytes, symbolsOf(this.#options));
  }

  /** For code that runs packets by itself. A run may throw what `run` throws, or what `ended` knows. */
  entry(program: RunnableProgram): JitEntry {
    const { tableIndex } = this.#load(program, 0, true);
    return {
      run: this.#table.get(tableIndex),
      type: FUNCTION,
      writeRun: (code, target, memory) => writeRun(code, this.#options, target, memory),
    };
  }

  /** Whether what a run threw is its regular end, with r0 = 0: a legacy load beyond the packet. */
  ended(error: unknown): boolean {
    return error === PROGRAM_END;
  }

  #addToTable(run: (argument?: number) => void): number {
    const index = this.#table.grow(1);
    this.#table.set(index, run);
    return index;
  }

  /** Instructions that the last run executed. */
  get executed(): number {
    return Number(this.#budget - this.#fuel[0]!);
  }

  run(program: RunnableProgram, context: number, second = 0n): bigint {
    const { r, w } = this.#registers;
    const loaded = this.#load(program, 0, true);
    this.#control[2 * SLOTS.tailCalls] = 0;
    this.#fuel[0] = this.#budget;
    this.#control[2 * SLOTS.mayGoto] = 0;
    this.#control[2 * SLOTS.cpu] = this.#options.machine.cpu;
    this.#packetMoved();
    w.fill(0, 0, 12);
    w[2] = context;
    r[2] = second;
    this.#enter(loaded, this.#frame, 0);
    return r[0]!;
  }

  call(pc: number, args: readonly bigint[]): bigint {
    const caller = this.#calling;
    invariant(caller !== undefined, 'only a helper that takes a callback calls back');
    const { frames } = this.#options.stack;
    if (caller.depth + 1 >= frames) throw ENDINGS.callDepth(pc, frames);
    const { r } = this.#registers;
    const loaded = this.#load(caller.program, pc, false);
    for (let i = 0; i < 5; i++) r[i + 1] = args[i] ?? 0n;
    this.#enter(loaded, caller.frame - BigInt(STACK_BYTES), caller.depth + 1);
    return r[0]!;
  }

  #enter(loaded: Loaded, frame: bigint, depth: number): void {
    const { r } = this.#registers;
    r[10] = frame;
    this.#control[2 * SLOTS.depth] = depth;
    try {
      loaded.exports.enter!();
    } catch (error) {
      if (error !== PROGRAM_END) throw error;
      r[0] = 0n;
    }
  }

  #packetMoved(): void {
    const region = this.#options.machine.packet?.region;
    this.#control[2 * SLOTS.packetStart] = region?.start ?? 0;
    this.#control[2 * SLOTS.packetEnd] = region?.end ?? 0;
  }

  #load(program: RunnableProgram, root: number, plain: boolean): Loaded {
    let units = this.#loaded.get(program);
    if (units === undefined) this.#loaded.set(program, (units = new Map()));
    const key = plain ? 'plain' : `${root}`;
    let loaded = units.get(key);
    if (loaded === undefined) units.set(key, (loaded = this.#translate(unitOf(this.#options, program, root, plain))));
    return loaded;
  }

  #translate(unit: Unit): Loaded {
    const exports = this.#instantiate(unit, undefined);
    const place = unit.plain ? this.#options.programs.indexOf(unit.program) : -1;
    if (place >= 0) this.#table.set(place, exports.f0);
    return { unit, exports, tableIndex: place < 0 ? this.#addToTable(exports.f0!) : place };
  }

  /** The fast module, or, over the fast one's exports, the careful one. */
  #instantiate(unit: Unit, fast: Loaded['exports'] | undefined): Loaded['exports'] {
    const { memory, machine } = this.#options;
    const isCareful = fast !== undefined;
    /** A callback may be any 32 bits; jumps may lead below 0. */
    const exact = (pc: number) => (pc === (unit.root | 0) ? unit.root : pc);
    let twins: Loaded['exports'] | undefined;
    const { bytes, answers, sites } = writeModule(this.#options, unit, isCareful);
    const own: Record<ImportName, (...args: never[]) => unknown> = {
      fault: (pc: number, value: bigint) => {
        if (!isCareful) this.#credit(unit, pc);
        throw errorAt(this.#options, unit.program.program, exact(pc), value);
      },
      careful: (index: number, node: number) => {
        twins ??= this.#instantiate(unit, made);
        twins[`c${index}`]!(node);
      },
      spent: (pc: number) => {
        throw ENDINGS.budget(exact(pc), this.#options.budget);
      },
      readable: (address: number, size: number) => Number(memory.regionOf(address >>> 0, size) !== undefined),
      writable: (address: number, size: number) => Number(memory.regionOf(address >>> 0, size)?.writable === true),
      stored: (offset: number, value: number, old: number) =>
        machine.programType.stored!(offset, value >>> 0, old >>> 0),
      ask: (question: number, first: number, second: number) => answers[question]!(first, second),
    };
    const imports: Record<string, unknown> = { ...fast, ...own, memory: memory.wasm, table: this.#table };
    for (const pc of sites) {
      // Most calls are never made, or by generated code: each is prepared when it is first made.
      let serve: (() => unknown) | undefined;
      imports[`s${pc}`] = () => {
        serve ??= this.#site(unit, pc, isCareful);
        return serve();
      };
    }
    const made = instantiate(bytes, imports, unit);
    // What is too large to be translated carefully shows now, not when a run is short of fuel.
    if (!isCareful && bytes.length > LARGE) twins = this.#instantiate(unit, made);
    return made;
  }

  /** Gives back what a block took for instructions behind the one that ended the run. */
  #credit(unit: Unit, pc: number): void {
    this.#fuel[0] = this.#fuel[0]! + BigInt(unit.leaders.remainder(pc));
  }

  /** What serves an instruction that generated code leaves to JavaScript. */
  #site(unit: Unit, pc: number, isCareful: boolean): () => unknown {
    const instruction = unit.program.program.instructions[pc]!;
    if (instruction.kind === 'packet') return this.#packetSite(instruction);
    invariant(instruction.kind === 'call', 'a site is a call');
    const { target } = instruction;
    if (target.type === 'register') return this.#registerSite(unit, pc);
    invariant(target.type !== 'local', 'local calls stay within');
    if (target.type === 'helper' && target.id === 12) return this.#tailSite(unit, pc);
    const run =
      target.type === 'helper'
        ? this.#helper(target.id, pc)
        : this.#bind(kfuncCallee(this.#options, unit.program.program, target.btfId)!, pc);
    if (target.type === 'helper' && callsBack(this.#options.helpers, target.id)) return this.#withFrame(unit, run);
    if (isCareful || unit.leaders.remainder(pc) === 0) return run;
    return () => {
      try {
        run();
      } catch (error) {
        if (error instanceof RunError) this.#credit(unit, pc);
        throw error;
      }
    };
  }

  #helper(id: number, pc: number): () => void {
    const callee = helperCallee(this.#options, id);
    if (callee === undefined) throw ENDINGS.noHelper(pc, id);
    return this.#bind(callee, pc);
  }

  #bind(callee: Callee, pc: number): () => void {
    const { machine, memory } = this.#options;
    const registers = this.#registers;
    const run = bindCall({ machine, registers, memory, callee, pc });
    const { r, w } = registers;
    return () => {
      const result = run();
      if (callee.changesPacket) this.#packetMoved();
      if (typeof result === 'bigint') r[0] = result;
      else {
        w[0] = result;
        w[1] = Math.floor(result / 0x1_0000_0000);
      }
    };
  }

  #withFrame(unit: Unit, run: () => void): () => void {
    const { r } = this.#registers;
    return () => {
      const outer = this.#calling;
      this.#calling = { program: unit.program, frame: r[10]!, depth: this.#control[2 * SLOTS.depth]! };
      try {
        run();
        this.#packetMoved();
      } finally {
        this.#calling = outer;
      }
    };
  }

  /** RFC 9669 leaves `callx` to the platform; here the register holds a helper's id. */
  #registerSite(unit: Unit, pc: number): () => void {
    const id = new BigUint64Array(this.#options.memory.u8.buffer, this.#options.control + 8 * SLOTS.helper, 1);
    const bound = new Map<number, () => void>();
    return () => {
      const number = Number(id[0]!);
      let run = bound.get(number);
      if (run === undefined) bound.set(number, (run = this.#withFrame(unit, this.#helper(number, pc))));
      run();
    };
  }

  #tailSite(unit: Unit, pc: number): () => number {
    const { machine, programs } = this.#options;
    const { w } = this.#registers;
    return () => {
      const map = programArray(machine, w[5] === 0 ? w[4]! : 0, pc);
      const program = programs[map.programAt(w[6]!)];
      const made = this.#control[2 * SLOTS.tailCalls]!;
      if (program === undefined || made >= MAX_TAIL_CALLS) return -1;
      this.#control[2 * SLOTS.tailCalls] = made + 1;
      const inOwnFrame = unit.plain && this.#control[2 * SLOTS.depth] === 0;
      return this.#load(program, 0, inOwnFrame).tableIndex;
    };
  }

  #packetSite({ mode, size, imm }: { mode: 'abs' | 'ind'; size: 1 | 2 | 4; imm: number }): () => void {
    const { w, sw } = this.#registers;
    const { machine } = this.#options;
    return () => {
      // The control block holds the source register where r0 is to come.
      const value = legacyLoad(machine, mode === 'ind' ? (sw[0]! + imm) | 0 : imm, size);
      if (value === undefined) throw PROGRAM_END;
      w[0] = value;
      w[1] = 0;
    };
  }
}

/** pcs of the functions whose addresses a program takes. */
function* callbacksOf({ program }: RunnableProgram): Generator<number> {
  for (const instruction of program.instructions) {
    if (instruction?.kind === 'imm64' && instruction.value.type === 'function') yield instruction.value.pc;
  }
}

/** Bytes of a module whose careful twin may be too large: it is not ten times as long. */
const LARGE = 500_000;

/** V8 takes functions of up to 7,654,321 bytes (v8/src/wasm/wasm-limits.h); a module beyond its limits is our limit too. */
function instantiate(bytes: Uint8Array<ArrayBuffer>, imports: Record<string, unknown>, unit: Unit): Loaded['exports'] {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError) || !/size|limit|maximum/.test(error.message)) throw error;
    throw tooLarge(unit.program.program.name, `${bytes.length} bytes of WebAssembly`);
  }
  const instance = new WebAssembly.Instance(module, { e: imports as WebAssembly.ModuleImports });
  return instance.exports as Loaded['exports'];
}
