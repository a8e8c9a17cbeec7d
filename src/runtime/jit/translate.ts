import { SLOTS } from '../../abi/control.ts';
import type { Helper } from '../../abi/helper.ts';
import type { BpfMap } from '../../abi/map.ts';
import { invariant } from '../../base/errors.ts';
import type { Instruction, Operand } from '../../isa/instruction.ts';
import { slots } from '../../isa/instruction.ts';
import { Expression } from '../../wasm/expression.ts';
import { Code } from '../../wasm/writer.ts';
import { kfuncCallee } from '../call/callee.ts';
import { immediateValue } from '../call/constants.ts';
import { MAX_TAIL_CALLS, MAY_GOTO_LIMIT, STACK_BYTES } from '../call/limits.ts';
import { Accesses } from './accesses.ts';
import { type Operands, writeAlu, writeCondition, writeEndian } from './alu.ts';
import { CAREFUL, type Callees, FAST, type Locals } from './convention.ts';
import { callsBack, type JitOptions } from './environment.ts';
import type { JitFunction } from './functions.ts';
import { type Known, learn } from './known.ts';
import { type NodeEnding, writeDispatched, writeStructured } from './structure.ts';
import type { Unit } from './unit.ts';

/**
 * Writes the body of one function. Fast code takes the fuel of a block at its start and looks at what is left only at
 * checkpoints: where the next one may be out of reach, the *careful* twin goes on, which counts each instruction, so
 * that a run ends at the very instruction at which the interpreter's ends.
 */
export class FunctionWriter {
  readonly code = new Code();
  readonly #options: JitOptions;
  readonly #unit: Unit;
  readonly #index: number;
  readonly #function: JitFunction;
  readonly #callees: Callees;
  readonly #careful: boolean;
  readonly #locals: Locals;
  readonly #accesses: Accesses;
  readonly #frame: number | undefined;
  readonly #ends: (Known | undefined)[] = [];
  #known: Known = [];

  constructor(options: JitOptions, unit: Unit, index: number, callees: Callees, careful: boolean) {
    this.#options = options;
    this.#unit = unit;
    this.#index = index;
    this.#function = unit.functions[index]!;
    this.#callees = callees;
    this.#careful = careful;
    this.#locals = careful ? CAREFUL : FAST;
    const depth = careful ? undefined : unit.depths[index];
    this.#frame = depth === undefined ? undefined : options.stack.end - STACK_BYTES * depth;
    this.#accesses = new Accesses(options, this.code, callees, this.#locals, unit.program.facts, (pc, register) =>
      this.#fault(pc, register),
    );
  }

  write(): Code {
    const { code } = this;
    const { registers, depth, fuel, label } = this.#locals;
    if (this.#careful) {
      for (const [register, local] of registers.entries()) this.#loadSlot('i64.load', register).set(local);
      this.#loadSlot('i32.load', SLOTS.depth).set(depth);
    }
    this.#loadSlot('i64.load', SLOTS.fuel).set(fuel);
    const write = (node: number) => this.#node(node);
    if (this.#careful || this.#function.irreducible) writeDispatched(code, this.#function, label, write);
    else writeStructured(code, this.#function, write);
    return code;
  }

  #loadSlot(name: 'i32.load' | 'i64.load', slot: number): Code {
    return this.code.i32(0).at(name, this.#options.control + 8 * slot);
  }

  #storeSlot(name: 'i32.store' | 'i64.store', slot: number, push: () => void): void {
    this.code.i32(0);
    push();
    this.code.at(name, this.#options.control + 8 * slot);
  }

  #push(register: number): void {
    if (register === 10 && this.#frame !== undefined) this.code.i64(this.#frame);
    else this.code.get(this.#locals.registers[register]!);
  }

  #set(register: number): void {
    this.code.set(this.#locals.registers[register]!);
  }

  #flush(): void {
    this.#storeSlot('i64.store', SLOTS.fuel, () => this.code.get(this.#locals.fuel));
  }

  #reload(): void {
    this.#loadSlot('i64.load', SLOTS.fuel).set(this.#locals.fuel);
  }

  #fault(pc: number, register: number): void {
    this.code.get(this.#locals.fuel).i32(pc);
    this.#push(register);
    this.code.call(this.#callees.fail).op('unreachable');
  }

  #node(node: number): NodeEnding {
    const { starts, ends, counts, checkpoint } = this.#function;
    this.#known = this.#knownAt(node);
    this.#accesses.known = this.#known;
    if (!this.#careful) {
      if (checkpoint[node] === 1) this.#checkpoint(node);
      this.#spend(counts[node]!);
    }
    const { instructions } = this.#unit.program.program;
    let ending: NodeEnding = 'goes';
    for (let pc = starts[node]!; pc < ends[node]! || pc === starts[node]!; ) {
      if (this.#careful) this.#count(pc);
      const instruction = instructions[pc];
      if (instruction === undefined) {
        this.#fault(pc, 0);
        return 'leaves';
      }
      const joined = this.#careful ? 0 : this.#pair(pc, ends[node]!);
      if (joined === 0) {
        ending = this.#instruction(instruction, pc);
        if (ending === 'leaves') return ending;
        learn(this.#known, instruction, (at) => this.#immediate(at));
        pc += slots(instruction);
      } else pc += joined;
    }
    this.#ends[node] = this.#known;
    return ending;
  }

  /** What holds at a node's start: at the function's, where the frame lies; behind its only predecessor, what held there. */
  #knownAt(node: number): Known {
    const { predecessorStart, predecessors } = this.#function.graph;
    const first = predecessorStart[node]!;
    const only = node !== 0 && predecessorStart[node + 1]! - first === 1 ? this.#ends[predecessors[first]!] : undefined;
    const known: Known = only === undefined || this.#careful ? new Array<undefined>(11).fill(undefined) : only.slice();
    known[10] = this.#frame;
    return known;
  }

  #checkpoint(node: number): void {
    const { code } = this;
    code.get(this.#locals.fuel).i64(this.#function.bound[node]!).op('i64.lt_s').block('if');
    for (let register = 0; register <= 10; register++) this.#push(register);
    code.get(this.#locals.depth).get(this.#locals.fuel);
    code.i32(this.#index).i32(node).call(this.#callees.handOver).op('return').end();
  }

  #spend(count: number): void {
    const { fuel } = this.#locals;
    this.code.get(fuel).i64(count).op('i64.sub').set(fuel);
  }

  /** In careful code: one instruction. */
  #count(pc: number): void {
    const { fuel } = this.#locals;
    this.code.get(fuel).op('i64.eqz').block('if').i32(pc).call(this.#callees.spend).op('unreachable').end();
    this.#spend(1);
  }

  #immediate(instruction: Instruction): bigint {
    invariant(instruction.kind === 'imm64', 'only a 64-bit immediate has a value of its own');
    return immediateValue(this.#unit.program, instruction.value);
  }

  #operands(width: 32 | 64, dst: number, src: Operand): Operands {
    const { code } = this;
    const push = (register: number) => {
      this.#push(register);
      if (width === 32) code.op('i32.wrap_i64');
    };
    return {
      type: width === 32 ? 'i32' : 'i64',
      imm: 'imm' in src ? src.imm : undefined,
      dst: () => push(dst),
      src: () => {
        if ('reg' in src) push(src.reg);
        else if (width === 32) code.i32(src.imm);
        else code.i64(src.imm);
      },
    };
  }

  /** `r <<= 32; r >>= 32` cuts to 32 bits, or sign-extends them; gives how many instructions were joined. */
  #pair(pc: number, end: number): number {
    const { instructions } = this.#unit.program.program;
    const first = instructions[pc]!;
    if (first.kind !== 'alu' || first.op !== 'lsh' || pc + 1 >= end || !isBy32(first)) return 0;
    const second = instructions[pc + 1]!;
    if (second.kind !== 'alu' || first.dst !== second.dst || !isBy32(second)) return 0;
    if (second.op !== 'rsh' && second.op !== 'arsh') return 0;
    this.#push(first.dst);
    if (second.op === 'rsh') this.code.i64(0xffff_ffff).op('i64.and');
    else this.code.op('i64.extend32_s');
    this.#set(first.dst);
    this.#known[first.dst] = undefined;
    return 2;
  }

  #instruction(instruction: Instruction, pc: number): NodeEnding {
    const { code } = this;
    switch (instruction.kind) {
      case 'alu': {
        const { op, width, dst, src } = instruction;
        writeAlu(code, op, this.#operands(width, dst, src));
        if (width === 32) code.op('i64.extend_i32_u');
        this.#set(dst);
        return 'goes';
      }
      case 'endian':
        writeEndian(code, instruction, () => this.#push(instruction.dst), this.#locals.word);
        this.#set(instruction.dst);
        return 'goes';
      case 'imm64':
        code.i64(this.#immediate(instruction));
        this.#set(instruction.dst);
        return 'goes';
      case 'addr_space_cast':
        // Arenas do not exist here: an address is the same in every address space.
        this.#push(instruction.src);
        this.#set(instruction.dst);
        return 'goes';
      case 'load':
        this.#accesses.load(instruction, pc, (register) => this.#push(register));
        this.#set(instruction.dst);
        return 'goes';
      case 'store':
        this.#accesses.store(instruction, pc, (register) => this.#push(register));
        return 'goes';
      case 'atomic':
        this.#accesses.atomic(
          instruction,
          pc,
          (register) => this.#push(register),
          (register) => this.#set(register),
        );
        return 'goes';
      case 'packet':
        this.#flush();
        this.#storeSlot('i64.store', SLOTS.registers, () => this.#push(instruction.src));
        code.call(this.#callees.sites.get(pc)!);
        this.#loadSlot('i64.load', SLOTS.registers);
        this.#set(0);
        return 'goes';
      case 'goto':
        return 'goes';
      case 'jump': {
        const { op, width, dst, src } = instruction;
        writeCondition(code, op, this.#operands(width, dst, src));
        return 'chooses';
      }
      case 'may_goto':
        this.#loadSlot('i32.load', SLOTS.mayGoto).set(this.#locals.word);
        this.#storeSlot('i32.store', SLOTS.mayGoto, () => code.get(this.#locals.word).i32(1).op('i32.add'));
        code.get(this.#locals.word).i32(MAY_GOTO_LIMIT).op('i32.ge_u');
        return 'chooses';
      case 'call':
        return this.#call(instruction.target, pc);
      case 'exit':
        this.#exit();
        return 'leaves';
      case 'invalid':
        this.#fault(pc, 0);
        return 'leaves';
    }
  }

  #exit(): void {
    this.#flush();
    if (this.#careful) this.#storeSlot('i64.store', SLOTS.registers, () => this.#push(0));
    else this.#push(0);
    this.code.op('return');
  }

  #call(target: (Instruction & { kind: 'call' })['target'], pc: number): NodeEnding {
    switch (target.type) {
      case 'local':
        this.#localCall(target.pc, pc);
        return 'goes';
      case 'helper':
        if (target.id === 12) this.#tailCall(pc);
        else this.#helper(target.id, pc);
        return 'goes';
      case 'register':
        this.#storeSlot('i64.store', SLOTS.helper, () => this.#push(target.reg));
        this.#site(pc, 5, true);
        return 'goes';
      case 'kfunc': {
        const callee = kfuncCallee(this.#options, this.#unit.program.program, target.btfId);
        if (callee === undefined) {
          this.#fault(pc, 0);
          return 'leaves';
        }
        this.#site(pc, callee.args.length, false);
        return 'goes';
      }
    }
  }

  #localCall(entry: number, pc: number): void {
    const { code } = this;
    const { depth } = this.#locals;
    code
      .get(depth)
      .i32(this.#options.stack.frames - 1)
      .op('i32.ge_s')
      .block('if');
    this.#fault(pc, 0);
    code.end();
    this.#flush();
    for (let register = 1; register <= 5; register++) this.#push(register);
    this.#push(10);
    code.i64(STACK_BYTES).op('i64.sub');
    code.get(depth).i32(1).op('i32.add');
    code.call(this.#callees.functions[this.#unit.indices.get(entry)!]!);
    this.#set(0);
    this.#reload();
    for (let register = 1; register <= 5; register++) {
      code.i64(0);
      this.#set(register);
    }
  }

  #helper(id: number, pc: number): void {
    const helper = this.#options.helpers.get(id);
    if (helper === undefined) {
      this.#fault(pc, 0);
      return;
    }
    const emitted = this.#emitted(helper, pc);
    if (emitted === undefined) {
      this.#site(pc, helper.prototype.args.length, callsBack(this.#options.helpers, id));
      return;
    }
    emitted.write(this.code);
    this.#set(0);
  }

  /** A call that JavaScript serves: r1 … go through the control block, and r0 comes back. */
  #site(pc: number, parameters: number, callback: boolean): void {
    const { code } = this;
    this.#flush();
    for (let register = 1; register <= parameters; register++) {
      this.#storeSlot('i64.store', SLOTS.registers + register, () => this.#push(register));
    }
    if (callback) {
      this.#storeSlot('i64.store', SLOTS.registers + 10, () => this.#push(10));
      this.#storeSlot('i32.store', SLOTS.depth, () => code.get(this.#locals.depth));
    }
    code.call(this.#callees.sites.get(pc)!);
    this.#loadSlot('i64.load', SLOTS.registers);
    this.#set(0);
    if (callback) this.#reload();
  }

  /** What the helper's own code leaves, where its arguments are proved and it has code for them. */
  #emitted(helper: Helper, pc: number): Expression | undefined {
    if (helper.emit === undefined || this.#careful || !this.#accesses.provesCall(pc)) return undefined;
    return helper.emit(this.#callees.routines, {
      machine: this.#options.machine,
      map: this.#mapOf(pc),
      args: [1, 2, 3, 4, 5].map((register) => new Expression('i64', () => this.#push(register))),
    });
  }

  /**
   * Index of the function that finds the program at an index of a program array, where the array is known and the frame
   * is the program's own, so that the program there was made for it.
   */
  #tailTarget(pc: number): number | undefined {
    const isOwnFrame = this.#unit.plain && this.#unit.depths[this.#index] === 0;
    if (!isOwnFrame || this.#careful || !this.#accesses.provesCall(pc)) return undefined;
    if (this.#options.programs.includes(undefined)) return undefined;
    return this.#mapOf(pc)?.routines?.target?.(this.#callees.routines);
  }

  /** The map that the call at `pc` gets on every path, where that is one. */
  #mapOf(pc: number): BpfMap | undefined {
    const { program } = this.#unit;
    const index = program.facts?.calls.get(pc)?.map ?? null;
    return index === null ? undefined : this.#options.machine.mapAt(program.mapHandle(index));
  }

  /** Goes on in the program whose place in the table is found, or falls through. */
  #tailCall(pc: number): void {
    const { code } = this;
    const { word } = this.#locals;
    const target = this.#tailTarget(pc);
    this.#flush();
    if (target === undefined) {
      for (const register of [2, 3]) {
        this.#storeSlot('i64.store', SLOTS.registers + register, () => this.#push(register));
      }
      this.#storeSlot('i32.store', SLOTS.depth, () => code.get(this.#locals.depth));
      code.call(this.#callees.sites.get(pc)!).tee(word).i32(0).op('i32.ge_s').block('if');
    } else {
      this.#push(3);
      code.op('i32.wrap_i64').call(target).tee(word).i32(0).op('i32.ge_s');
      this.#loadSlot('i32.load', SLOTS.tailCalls).i32(MAX_TAIL_CALLS).op('i32.lt_u').op('i32.and').block('if');
      this.#storeSlot('i32.store', SLOTS.tailCalls, () =>
        this.#loadSlot('i32.load', SLOTS.tailCalls).i32(1).op('i32.add'),
      );
    }
    if (this.#careful) code.i32(0);
    for (let register = 1; register <= 5; register++) this.#push(register);
    this.#push(10);
    code.get(this.#locals.depth).get(word);
    if (this.#careful) {
      code.op('call_indirect').unsigned(this.#callees.functionType).byte(0);
      code.at('i64.store', this.#options.control).op('return');
    } else code.op('return_call_indirect').unsigned(this.#callees.functionType).byte(0);
    code.end();
  }
}

const isBy32 = ({ width, src }: Instruction & { kind: 'alu' }) => width === 64 && 'imm' in src && src.imm === 32;
