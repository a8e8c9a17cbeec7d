import { SLOTS } from '../../abi/control.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, i32, i64, Routine, type Variable } from '../../wasm/expression.ts';
import type { ModuleWriter } from '../../wasm/module.ts';
import type { JitOptions } from './environment.ts';

/** Indices of what JavaScript does for a module. */
export interface Served {
  /** (address, size) → whether a region allows it. */
  readonly readable: number;
  readonly writable: number;
  /** (offset in the context, value, old) → what is stored. */
  readonly stored: number;
  /** (pc, register): ends the run with the error of the instruction at pc. */
  readonly fault: number;
  /** (pc): ends the run, its fuel being spent. */
  readonly spent: number;
  /** (function, node): runs the function on from there, on what the control block holds. */
  readonly careful: number;
  /** (number of the question, first, second) → an answer. */
  readonly ask: number;
}

/** What `ask` is asked for. */
export type Answer = (first: number, second: number) => number;

/**
 * The functions that a module's code calls beside its own, each written when it is first asked for. Their indices
 * follow `first`.
 */
export class RuntimeFunctions implements Routines {
  readonly #options: JitOptions;
  readonly #first: number;
  readonly #served: Served;
  readonly #routines: Routine[] = [];
  readonly #made = new Map<string, number>();
  readonly answers: Answer[];

  constructor(options: JitOptions, first: number, served: Served, answers: Answer[]) {
    this.#options = options;
    this.#first = first;
    this.#served = served;
    this.answers = answers;
  }

  /** Exported too, so that the text of a module names them. */
  writeTo(module: ModuleWriter): void {
    for (const { type, body } of this.#routines) module.body(type, body.locals, body.code);
    for (const [name, index] of this.#made) module.export(name, index);
  }

  once(name: string, make: () => Routine): number {
    let index = this.#made.get(name);
    if (index === undefined) {
      const routine = make();
      index = this.#first + this.#routines.push(routine) - 1;
      this.#made.set(name, index);
    }
    return index;
  }

  ask(name: string, serve: Answer): number {
    return this.once(name, () => {
      const routine = new Routine(['i32', 'i32'], ['i32']);
      const question = this.answers.push(serve) - 1;
      routine.return(callOf(this.#served.ask, 'i32', i32(question), ...routine.parameters));
      return routine;
    });
  }

  slot(name: keyof typeof SLOTS): Expression {
    return i32(this.#options.control + 8 * SLOTS[name]);
  }

  get fail(): number {
    return this.once('fail', () => {
      const routine = new Routine(['i64', 'i32', 'i64'], []);
      const [fuel, pc, value] = routine.parameters as [Variable, Variable, Variable];
      routine.store(this.slot('fuel'), fuel);
      routine.do(this.#served.fault, pc, value);
      return routine;
    });
  }

  get spend(): number {
    return this.once('spend', () => {
      const routine = new Routine(['i32'], []);
      routine.store(this.slot('fuel'), i64(0));
      routine.do(this.#served.spent, ...routine.parameters);
      return routine;
    });
  }

  get handOver(): number {
    return this.once('hand over', () => {
      const registers = Array.from({ length: 11 }, () => 'i64' as const);
      const routine = new Routine([...registers, 'i32', 'i64', 'i32', 'i32'], ['i64']);
      const [depth, fuel, index, node] = routine.parameters.slice(11) as [Variable, Variable, Variable, Variable];
      for (const [register, value] of routine.parameters.slice(0, 11).entries()) {
        routine.store(this.slot('registers'), value, 8 * register);
      }
      routine.store(this.slot('depth'), depth);
      routine.store(this.slot('fuel'), fuel);
      routine.do(this.#served.careful, index, node);
      routine.return(this.slot('registers').load64());
      return routine;
    });
  }

  get readable(): number {
    return this.once('readable', () => this.#check(this.#served.readable));
  }

  get writable(): number {
    return this.once('writable', () => this.#check(this.#served.writable));
  }

  /** The regions that most accesses meet, all writable, are looked at here: stack, packet, context. JavaScript knows all. */
  #check(ask: number): Routine {
    const routine = new Routine(['i64', 'i32'], ['i32']);
    const [address, size] = routine.parameters as [Variable, Variable];
    const { stack, machine } = this.#options;
    const allow = () => routine.return(1);
    const within = (start: number, bytes: number) =>
      routine.if(address.sub(start).le(i64(bytes).sub(size.wide())), allow);
    within(stack.start, stack.end - stack.start);
    const start = routine.let(this.slot('packetStart').load64());
    const length = routine.let(this.slot('packetEnd').load64().sub(start));
    const offset = routine.let(address.sub(start));
    routine.if(offset.lt(length), () => routine.if(offset.add(size.wide()).le(length), allow));
    const contextSize = machine.programType?.context.size ?? 0;
    if (contextSize >= 8) within(machine.context, contextSize);
    routine.if(address.gt(0xffff_ffff), () => routine.return(0));
    routine.return(callOf(ask, 'i32', address.narrow(), size));
    return routine;
  }

  /** (address, value) → the word to store there: where the program type says so, not every field of the context holds what was stored. */
  get stored(): number | undefined {
    const { machine } = this.#options;
    if (machine.programType?.stored === undefined) return undefined;
    const { context, programType } = machine;
    return this.once('stored', () => {
      const routine = new Routine(['i32', 'i32'], ['i32']);
      const [address, value] = routine.parameters as [Variable, Variable];
      const offset = routine.let(address.sub(context));
      routine.if(offset.lt(programType.context.size), () =>
        routine.return(callOf(this.#served.stored, 'i32', offset, value, address.load())),
      );
      routine.return(value);
      return routine;
    });
  }
}
