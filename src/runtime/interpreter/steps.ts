import type { Catalogue } from '../../abi/catalogue.ts';
import type { Machine } from '../../abi/machine.ts';
import type { BpfMap, ProgramArray } from '../../abi/map.ts';
import { RunError, type RunnableProgram } from '../../abi/runner.ts';
import type { CallTarget, Immediate64, Instruction, Operand } from '../../isa/instruction.ts';
import { slots } from '../../isa/instruction.ts';
import type { Access } from './access.ts';
import { alu32, alu64, endian, jump, type Step } from './alu.ts';
import { bindHelper } from './arguments.ts';
import type { Registers } from './registers.ts';

/** The pc that ends a loop. */
export const END = -1;

const BPF_TAIL_CALL = 12;
const BPF_MAP_TYPE_PROG_ARRAY = 3;

/** What changes the flow beyond a jump. Each gives the pc that comes next. */
export interface Control {
  enter(target: number, at: number, returnTo: number): number;
  exit(): number;
  tailCall(map: ProgramArray, index: number, next: number): number;
  mayGoto(): boolean;
}

export interface Surroundings {
  readonly machine: Machine;
  readonly helpers: Catalogue['helpers'];
}

/** Makes the step of each instruction. */
export class StepMaker {
  readonly #surroundings: Surroundings;
  readonly #registers: Registers;
  readonly #access: Access;
  readonly #control: Control;
  readonly #alu;
  readonly #jump;

  constructor(surroundings: Surroundings, registers: Registers, access: Access, control: Control) {
    this.#surroundings = surroundings;
    this.#registers = registers;
    this.#access = access;
    this.#control = control;
    this.#alu = { 32: alu32(registers), 64: alu64(registers) };
    this.#jump = { 32: jump(registers, 32), 64: jump(registers, 64) };
  }

  /** By pc; the second slot of a 64-bit immediate has no step of its own. */
  all(program: RunnableProgram): readonly Step[] {
    return program.program.instructions.map((instruction, pc) =>
      instruction === undefined ? noInstruction(pc) : this.#step(program, instruction, pc),
    );
  }

  #step(program: RunnableProgram, instruction: Instruction, pc: number): Step {
    const next = pc + slots(instruction);
    const { r } = this.#registers;
    switch (instruction.kind) {
      case 'alu':
        return this.#alu[instruction.width][instruction.op](instruction.dst, this.#operand(instruction.src), next);
      case 'endian':
        return endian(this.#registers, instruction.op, instruction.bits)(instruction.dst, next);
      case 'imm64': {
        const source = this.#registers.immediate(immediateValue(program, instruction.value));
        return this.#alu[64].mov(instruction.dst, source, next);
      }
      case 'load':
        return this.#access.load(
          instruction.size,
          instruction.signed,
          instruction.dst,
          instruction.src,
          instruction.offset,
          pc,
        );
      case 'store':
        return this.#access.store(
          instruction.size,
          instruction.dst,
          this.#operand(instruction.src),
          instruction.offset,
          pc,
        );
      case 'atomic': {
        const { op, size, fetch, dst, src, offset } = instruction;
        return this.#access.atomic(op, size, fetch, dst, src, offset, pc);
      }
      case 'packet':
        return this.#packetLoad(instruction, pc);
      case 'goto': {
        const { target } = instruction;
        return () => target;
      }
      case 'jump': {
        const { op, width, dst, src, target } = instruction;
        return this.#jump[width][op](dst, this.#operand(src), next, target);
      }
      case 'may_goto': {
        const { target } = instruction;
        return () => (this.#control.mayGoto() ? next : target);
      }
      case 'call':
        return this.#call(instruction.target, pc);
      case 'exit':
        return () => this.#control.exit();
      case 'addr_space_cast':
        // Arenas do not exist here: an address is the same in every address space.
        return () => ((r[instruction.dst] = r[instruction.src]!), next);
      case 'invalid':
        return () => {
          throw new RunError('bad-instruction', pc, instruction.message);
        };
    }
  }

  #operand(operand: Operand): number {
    return 'reg' in operand ? operand.reg : this.#registers.immediate(BigInt(operand.imm));
  }

  #call(target: CallTarget, pc: number): Step {
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
      case 'kfunc':
        return () => {
          throw new RunError('helper-cannot-run', pc, `kernel function ${target.btfId} cannot run here yet`);
        };
    }
  }

  #helperCall(id: number, pc: number): Step {
    const helper = this.#surroundings.helpers.get(id);
    if (helper === undefined) {
      return () => {
        throw new RunError('unknown-helper', pc, `there is no helper ${id}`);
      };
    }
    const { machine } = this.#surroundings;
    const { r } = this.#registers;
    const run = bindHelper({ machine, registers: this.#registers, access: this.#access, helper, pc });
    const next = pc + 1;
    return () => {
      const result = run();
      r[0] = typeof result === 'bigint' ? result : BigInt(result);
      return next;
    };
  }

  #tailCall(pc: number): Step {
    const { r, w } = this.#registers;
    const { machine } = this.#surroundings;
    const next = pc + 1;
    return () => {
      const map: BpfMap | undefined = w[2 * 2 + 1] === 0 ? machine.mapAt(w[2 * 2]!) : undefined;
      if (map?.spec.type !== BPF_MAP_TYPE_PROG_ARRAY) {
        throw new RunError('bad-argument', pc, 'argument 2 of bpf_tail_call is no PROG_ARRAY map');
      }
      // Where the call falls through, r0 holds whatever it held; a verified program does not read it.
      void r;
      return this.#control.tailCall(map as ProgramArray, w[2 * 3]!, next);
    };
  }

  /** Section 5.5 of RFC 9669 and Linux's rule for it: beyond the packet, the program ends with 0. */
  #packetLoad(instruction: Instruction & { kind: 'packet' }, pc: number): Step {
    const { mode, size, src, imm } = instruction;
    const { view } = this.#surroundings.machine.memory;
    const { machine } = this.#surroundings;
    const { w, sw, r } = this.#registers;
    const next = pc + 1;
    return () => {
      const address = legacyAddress(machine, mode === 'ind' ? (sw[2 * src]! + imm) | 0 : imm);
      const { packet } = machine;
      if (address < packet.head || address + size > packet.end) {
        r[0] = 0n;
        while (this.#control.exit() !== END);
        return END;
      }
      w[0] = size === 1 ? view.getUint8(address) : size === 2 ? view.getUint16(address) : view.getUint32(address);
      w[1] = 0;
      return next;
    };
  }
}

/** SKF_NET_OFF and SKF_LL_OFF of linux/filter.h: offsets from the network and the link-layer header. */
const SKF_NET_OFF = -0x100000;
const SKF_LL_OFF = -0x200000;

function legacyAddress({ packet }: Machine, offset: number): number {
  if (offset >= 0) return packet.data + offset;
  if (offset >= SKF_NET_OFF) return packet.skb.networkHeader + offset - SKF_NET_OFF;
  if (offset >= SKF_LL_OFF) return packet.skb.macHeader + offset - SKF_LL_OFF;
  return -1;
}

function immediateValue(program: RunnableProgram, value: Immediate64): bigint {
  switch (value.type) {
    case 'value':
      return value.value;
    case 'map':
    case 'map-by-index':
      return BigInt(program.mapHandle(value.map));
    case 'map-value':
    case 'map-value-by-index':
      return BigInt(program.mapValue(value.map, value.offset));
    case 'function':
      return BigInt(value.pc);
    case 'ksym':
      // A weak kernel variable that is not there has address 0; a strong one was refused at load.
      return 0n;
  }
}

function noInstruction(pc: number): Step {
  return () => {
    throw new RunError('pc-out-of-range', pc, 'a jump leads into the middle of a 64-bit immediate');
  };
}
