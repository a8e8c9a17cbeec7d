import type { Catalogue } from '../../abi/catalogue.ts';
import { BPF_TAIL_CALL } from '../../abi/helper-names.ts';
import type { Machine } from '../../abi/machine.ts';
import type { ProgramArray } from '../../abi/map.ts';
import { RunError } from '../../abi/runner.ts';
import { InvariantError } from '../../base/errors.ts';
import type { CallTarget, Instruction } from '../../isa/instruction.ts';
import type { Program } from '../../program/program.ts';
import { bindCall } from '../call/arguments.ts';
import { type Callee, helperCallee, kfuncCallee } from '../call/callee.ts';
import { legacyLoad } from '../call/constants.ts';
import { ENDINGS } from '../call/limits.ts';
import type { Registers } from '../call/registers.ts';
import { programArray } from '../call/tail-call.ts';
import type { LinearMemory } from '../memory/memory.ts';
import type { Access } from './access.ts';
import { END, operandOf, type Step } from './code.ts';

/** What changes the flow beyond a jump. Each gives the pc that comes next. */
export interface Control {
  enter(target: number, at: number, returnTo: number): number;
  exit(): number;
  tailCall(map: ProgramArray, index: number, next: number): number;
  mayGoto(): boolean;
}

export interface Surroundings {
  readonly machine: Machine;
  readonly memory: LinearMemory;
  readonly helpers: Catalogue['helpers'];
  readonly kfuncs: Catalogue['kfuncs'];
}

/** Makes the steps of what is more than arithmetic, a jump, a load or a store. */
export class StepMaker {
  readonly #surroundings: Surroundings;
  readonly #registers: Registers;
  readonly #access: Access;
  readonly #control: Control;

  constructor(surroundings: Surroundings, registers: Registers, access: Access, control: Control) {
    this.#surroundings = surroundings;
    this.#registers = registers;
    this.#access = access;
    this.#control = control;
  }

  /** The second slot of a 64-bit immediate is no instruction. */
  step(program: Program, instruction: Instruction | undefined, pc: number): Step {
    const { r } = this.#registers;
    if (instruction === undefined) {
      return () => {
        throw ENDINGS.withinImmediate(pc);
      };
    }
    switch (instruction.kind) {
      case 'store':
        return this.#access.word(instruction.dst, operandOf(this.#registers, instruction.src), instruction.offset, pc);
      case 'atomic': {
        const { op, size, fetch, dst, src, offset } = instruction;
        if (this.#surroundings.memory.shared !== undefined) return this.#access.shared(instruction, pc);
        if (op === 'load_acq') break;
        if (op === 'store_rel') return this.#access.word(dst, src, offset, pc);
        return this.#access.atomic(op, size, fetch, dst, src, offset, pc);
      }
      case 'packet':
        return this.#packetLoad(instruction, pc);
      case 'may_goto': {
        const { target } = instruction;
        return () => (this.#control.mayGoto() ? pc + 1 : target);
      }
      case 'call':
        return this.#call(program, instruction.target, pc);
      case 'exit':
        return () => this.#control.exit();
      case 'addr_space_cast':
        // Arenas do not exist here: an address is the same in every address space.
        return () => ((r[instruction.dst] = r[instruction.src]!), pc + 1);
      case 'invalid':
        return () => {
          throw new RunError('bad-instruction', pc, instruction.message);
        };
    }
    throw new InvariantError(`${instruction.kind} has no step`);
  }

  #call(program: Program, target: CallTarget, pc: number): Step {
    switch (target.type) {
      case 'local':
        return () => this.#control.enter(target.pc, pc, pc + 1);
      case 'helper':
        return target.id === BPF_TAIL_CALL ? this.#tailCall(pc) : this.#helperCall(target.id, pc);
      case 'register': {
        // RFC 9669 leaves `callx` to the platform; here the register holds a helper's id.
        const bound = new Map<number, Step>();
        const { r } = this.#registers;
        return () => {
          const id = Number(r[target.reg]!);
          const step = bound.get(id) ?? this.#helperCall(id, pc);
          bound.set(id, step);
          return step();
        };
      }
      case 'kfunc': {
        const callee = kfuncCallee(this.#surroundings, program, target.btfId);
        return callee === undefined
          ? fails(() => ENDINGS.noKernelFunction(pc, program, target.btfId))
          : this.#bind(callee, pc);
      }
    }
  }

  #helperCall(id: number, pc: number): Step {
    const callee = helperCallee(this.#surroundings, id);
    return callee === undefined ? fails(() => ENDINGS.noHelper(pc, id)) : this.#bind(callee, pc);
  }

  #bind(callee: Callee, pc: number): Step {
    const { machine, memory } = this.#surroundings;
    const { r } = this.#registers;
    const run = bindCall({ machine, registers: this.#registers, memory, callee, pc });
    const next = pc + 1;
    return () => {
      const result = run();
      r[0] = typeof result === 'bigint' ? result : BigInt(result);
      return next;
    };
  }

  #tailCall(pc: number): Step {
    const { w } = this.#registers;
    const { machine } = this.#surroundings;
    const next = pc + 1;
    // Where the call falls through, r0 holds whatever it held; a verified program does not read it.
    return () => {
      const handle = w[2 * 2 + 1] === 0 ? w[2 * 2]! : 0;
      return this.#control.tailCall(programArray(machine, handle, pc), w[2 * 3]!, next);
    };
  }

  /** Section 5.5 of RFC 9669 and Linux's rule for it: beyond the packet, the program ends with 0. */
  #packetLoad(instruction: Instruction & { kind: 'packet' }, pc: number): Step {
    const { mode, size, src, imm } = instruction;
    const { machine } = this.#surroundings;
    const { w, sw, r } = this.#registers;
    const next = pc + 1;
    return () => {
      const value = legacyLoad(machine, mode === 'ind' ? (sw[2 * src]! + imm) | 0 : imm, size);
      if (value === undefined) {
        r[0] = 0n;
        while (this.#control.exit() !== END);
        return END;
      }
      w[0] = value;
      w[1] = 0;
      return next;
    };
  }
}

function fails(error: () => RunError): Step {
  return () => {
    throw error();
  };
}
