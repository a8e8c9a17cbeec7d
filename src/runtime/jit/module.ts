import { SLOTS } from '../../abi/control.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
import { type FunctionType, ModuleWriter } from '../../wasm/module.ts';
import { Code } from '../../wasm/writer.ts';
import { kfuncCallee } from '../call/callee.ts';
import { CAREFUL_LOCALS, type Callees, FAST_LOCALS, FUNCTION, TWIN } from './convention.ts';
import type { JitOptions } from './environment.ts';
import { type Answer, RuntimeFunctions } from './runtime.ts';
import { FunctionWriter } from './translate.ts';
import type { Unit } from './unit.ts';

const SITE: FunctionType = { parameters: [], results: [] };
const TAIL_SITE: FunctionType = { parameters: [], results: ['i32'] };
const NOTHING: FunctionType = { parameters: [], results: [] };

/** What both modules of a unit import, by name; sites and functions come by number behind a letter. */
const IMPORTS = {
  fault: { parameters: ['i32', 'i64'], results: [] },
  careful: { parameters: ['i32', 'i32'], results: [] },
  spent: { parameters: ['i32'], results: [] },
  readable: { parameters: ['i32', 'i32'], results: ['i32'] },
  writable: { parameters: ['i32', 'i32'], results: ['i32'] },
  stored: { parameters: ['i32', 'i32', 'i32'], results: ['i32'] },
  ask: { parameters: ['i32', 'i32', 'i32'], results: ['i32'] },
} satisfies Record<string, FunctionType>;

export type ImportName = keyof typeof IMPORTS;

/** Whether JavaScript serves the instruction. */
function isSite(instruction: Instruction | undefined, options: JitOptions, program: Program): boolean {
  if (instruction?.kind === 'packet') return true;
  if (instruction?.kind !== 'call') return false;
  const { target } = instruction;
  switch (target.type) {
    case 'register':
      return true;
    case 'helper':
      return target.id === 12 || options.helpers.has(target.id);
    case 'kfunc':
      return kfuncCallee(options, program, target.btfId) !== undefined;
    case 'local':
      return false;
  }
}

export interface WrittenModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What `ask` is asked for, by number. */
  readonly answers: readonly Answer[];
  /** pcs of instructions that JavaScript serves. */
  readonly sites: Iterable<number>;
}

/**
 * A unit's module: its functions as `f0` …, and `enter`, which calls the first with what the control block holds. The
 * careful one holds the twins, `c0` …, and imports the functions of the fast one.
 */
export function writeModule(options: JitOptions, unit: Unit, careful: boolean): WrittenModule {
  const { instructions } = unit.program.program;
  const module = new ModuleWriter();
  module.importMemory('memory', options.memory.u8.length / 65536, options.memory.shared !== undefined);
  module.importTable('table');
  const imports = Object.fromEntries(
    Object.entries(IMPORTS).map(([name, type]) => [name, module.importFunction(name, type)]),
  ) as Record<ImportName, number>;
  const sites = new Map<number, number>();
  for (const pc of sitesOf(options, unit)) {
    const instruction = instructions[pc]!;
    const isTail = instruction.kind === 'call' && instruction.target.type === 'helper' && instruction.target.id === 12;
    sites.set(pc, module.importFunction(`s${pc}`, isTail ? TAIL_SITE : SITE));
  }
  const { length } = unit.functions;
  const imported = careful ? unit.functions.map((_, index) => module.importFunction(`f${index}`, FUNCTION)) : [];
  const first = module.nextFunction;
  const functions = careful ? imported : unit.functions.map((_, index) => first + index);
  const runtime = new RuntimeFunctions(options, first + length + (careful ? 0 : 1), imports, []);
  const callees: Callees = {
    ...imports,
    sites,
    functions,
    functionType: module.type(FUNCTION),
    get fail() {
      return runtime.fail;
    },
    get spend() {
      return runtime.spend;
    },
    get handOver() {
      return runtime.handOver;
    },
    get readable() {
      return runtime.readable;
    },
    get writable() {
      return runtime.writable;
    },
    get stored() {
      return runtime.stored;
    },
    routines: runtime,
  };
  for (let index = 0; index < length; index++) {
    const code = new FunctionWriter(options, unit, index, callees, careful).write();
    const at = module.body(careful ? TWIN : FUNCTION, careful ? CAREFUL_LOCALS : FAST_LOCALS, code);
    module.export(`${careful ? 'c' : 'f'}${index}`, at);
  }
  if (!careful) module.export('enter', module.body(NOTHING, [], enter(options.control, first)));
  runtime.writeTo(module);
  return { bytes: module.bytes(), answers: runtime.answers, sites: sites.keys() };
}

/** pcs of the unit's instructions that JavaScript serves. */
function sitesOf(options: JitOptions, unit: Unit): number[] {
  const { program } = unit.program;
  const { instructions } = program;
  const pcs = new Set<number>();
  for (const { starts, ends } of unit.functions) {
    for (const [node, start] of starts.entries()) {
      for (let pc = start; pc < ends[node]!; pc++) if (isSite(instructions[pc], options, program)) pcs.add(pc);
    }
  }
  return [...pcs];
}

function enter(control: number, target: number): Code {
  const code = new Code();
  code.i32(0);
  for (const register of [1, 2, 3, 4, 5, 10]) code.i32(0).at('i64.load', control + 8 * register);
  code.i32(0).at('i32.load', control + 8 * SLOTS.depth);
  return code.call(target).at('i64.store', control);
}

/**
 * Writes a whole run of a program, whose function is `target`, in a module of which `memory` is the machine's: from what
 * the control block says of packet and CPU, with its fuel. Leaves r0, 64 bits.
 */
export function writeRun(
  code: Code,
  { control, budget, machine, stack }: Pick<JitOptions, 'control' | 'budget' | 'machine' | 'stack'>,
  target: number,
  memory: number,
): void {
  code
    .i32(0)
    .i64(budget)
    .at('i64.store', control + 8 * SLOTS.fuel, memory);
  for (const slot of [SLOTS.mayGoto, SLOTS.tailCalls])
    code
      .i32(0)
      .i32(0)
      .at('i32.store', control + 8 * slot, memory);
  code.i64(machine.context);
  for (let register = 2; register <= 5; register++) code.i64(0);
  code.i64(stack.end).i32(0).call(target);
}
