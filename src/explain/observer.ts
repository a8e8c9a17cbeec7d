import type { Catalogue } from '../abi/catalogue.ts';
import { BPF_TAIL_CALL } from '../abi/helper-names.ts';
import type { Place } from '../abi/report.ts';
import type { RunError, RunnableProgram } from '../abi/runner.ts';
import type { Instruction, JumpOp } from '../isa/instruction.ts';
import { functionAt, type Program } from '../program/program.ts';
import { OPERATORS } from '../verifier/report/conditions.ts';
import { placeOf } from '../verifier/report/report.ts';
import { argumentTexts, type Kind } from './arguments.ts';
import type { EventKind, ExplainedRun, ToldEvent } from './explanation.ts';
import { combined, type Origin, Origins, REGISTERS, START_POINTER, UNKNOWN } from './origins.ts';
import { Path } from './path.ts';
import { resultText, type SeenMachine, Sight } from './sight.ts';

type Of<Kind extends Instruction['kind']> = Extract<Instruction, { kind: Kind }>;

/** An instruction before it runs. */
interface Step {
  readonly program: Program;
  readonly pc: number;
  readonly frame: number;
  readonly instruction: Instruction;
  readonly before: BigUint64Array;
  /** Of a call, what it was given. */
  readonly args: readonly string[];
}

/** Registers as they are behind a step, and the pc that came next. */
interface After {
  readonly registers: BigUint64Array;
  readonly pc: number;
}

/** What is called beyond the program. */
interface Callee {
  readonly name: string;
  readonly args: readonly Kind[];
  readonly returns: string;
}

const SIGNED: ReadonlySet<JumpOp> = new Set(['sgt', 'sge', 'slt', 'sle']);

/** Sees every step of one run, and tells it. */
export class RunObserver {
  readonly #entry: Program;
  readonly #machine: SeenMachine;
  readonly #catalogue: Catalogue;
  readonly #path = new Path();
  readonly #origins = new Origins();
  /** The step of each frame that is not over; those of outer frames are calls. */
  readonly #open: (Step | undefined)[] = [];
  /** By pc, those that were told of. */
  readonly #places = new Map<Program, Place[]>();
  #sight: Sight;
  #steps = 0;
  #lastBranch: ToldEvent | null = null;
  /** Of the function that returned last. */
  #returned: Origin = UNKNOWN;

  constructor(machine: SeenMachine, catalogue: Catalogue, entry: Program) {
    this.#machine = machine;
    this.#catalogue = catalogue;
    this.#entry = entry;
    this.#sight = new Sight(machine, entry);
  }

  /** Before each instruction. */
  step({ program }: RunnableProgram, pc: number, frame: number, registers: BigUint64Array): void {
    this.#leave(frame);
    const last = this.#open[frame];
    if (last === undefined || last.instruction.kind === 'exit') this.#origins.enter(frame, this.#argumentsFor(frame));
    else this.#settle(last, { registers, pc });
    if (last !== undefined && last.program !== program) this.#sight = new Sight(this.#machine, program);
    this.#steps++;
    const instruction = program.instructions[pc];
    this.#open.length = frame;
    if (instruction === undefined) return;
    const before = registers.slice(0, REGISTERS);
    const step = { program, pc, frame, instruction, before, args: this.#args(program, instruction, before, frame) };
    this.#open[frame] = step;
    if (instruction.kind === 'exit') this.#exit(step);
    if (instruction.kind === 'call' && instruction.target.type === 'local') {
      this.#tell(step, 'function', `calls ${this.#callee(program, instruction.target.pc)}`);
    }
  }

  /** Whether a step of the program's start is one of another run. */
  get isOver(): boolean {
    const last = this.#open.findLast((step) => step !== undefined);
    return last?.instruction.kind === 'packet' || (last?.instruction.kind === 'exit' && last.frame === 0);
  }

  /** The run is over; `error` where it ended in one. */
  end(error: RunError | null): ExplainedRun {
    const last = this.#open.findLast((step) => step !== undefined);
    if (last !== undefined && error !== null) this.#tell(last, 'error', error.message);
    const isCut = error === null && last !== undefined && last.instruction.kind !== 'exit';
    if (isCut) this.#tell(last, 'end', `reads beyond the packet, which ends the program: ${this.#verdict(0n)}`);
    const { path, omitted } = this.#path.end();
    const r0 = isCut ? 0n : (last?.before[0] ?? 0n);
    const decided = isCut ? last.pc : this.#origins.of(0, 0).pc;
    const isDecided = error === null && last !== undefined;
    return {
      program: this.#entry.name,
      type: this.#entry.type,
      verdict: isDecided ? this.#verdict(r0) : null,
      instructions: this.#steps,
      lastBranch: this.#lastBranch,
      decision: isDecided ? this.#place(last.program, decided ?? last.pc) : null,
      path,
      omitted,
    };
  }

  #verdict(r0: bigint): string {
    return this.#machine.programType.verdict(Number(BigInt.asIntN(32, r0)));
  }

  /** Functions that are over: the value of the outermost is what its caller gets. */
  #leave(frame: number): void {
    if (this.#open.length > frame + 1) this.#returned = this.#origins.of(frame + 1, 0);
  }

  /** A callback's are its helper's. */
  #argumentsFor(frame: number): readonly Origin[] {
    const caller = frame === 0 ? undefined : this.#open[frame - 1];
    if (caller === undefined) return frame === 0 ? [START_POINTER] : [];
    const { instruction } = caller;
    return instruction.kind === 'call' && instruction.target.type === 'local' ? this.#origins.args(frame - 1) : [];
  }

  #args(program: Program, instruction: Instruction, registers: BigUint64Array, frame: number): readonly string[] {
    const callee = this.#calleeOf(program, instruction);
    return callee === undefined ? [] : argumentTexts(callee.args, registers, this.#sight, this.#origins.args(frame));
  }

  /** The helper or kernel function that is called. */
  #calleeOf(program: Program, instruction: Instruction): Callee | undefined {
    if (instruction.kind !== 'call') return undefined;
    const { target } = instruction;
    const { helpers, kfuncs } = this.#catalogue;
    if (target.type === 'kfunc') return kfuncs.get(program.kernelSymbols[target.btfId]?.name ?? '');
    const helper = target.type === 'helper' ? helpers.get(target.id) : undefined;
    return helper && { name: helper.name, ...helper.prototype };
  }

  #callee(program: Program, pc: number): string {
    return functionAt(program, pc)?.name ?? `the function at ${pc}`;
  }

  #tell({ program, pc, frame }: Step, kind: EventKind, text: string, taken?: boolean): ToldEvent {
    const event = { pc, kind, text, ...(taken === undefined ? {} : { taken }) };
    const place = this.#place(program, pc);
    this.#path.add(place, frame, event);
    return { place, event };
  }

  #place(program: Program, pc: number): Place {
    const known = this.#places.get(program) ?? [];
    this.#places.set(program, known);
    return (known[pc] ??= placeOf(program, this.#catalogue, pc));
  }

  #exit(step: Step): void {
    const { before, frame } = step;
    if (frame > 0) return;
    const verdict = this.#verdict(before[0]!);
    const value = BigInt.asIntN(32, before[0]!);
    this.#tell(step, 'end', verdict === `${value}` ? `r0 is ${value}` : `r0 is ${value}: ${verdict}`);
  }

  /** What a step did, once it is seen what came of it. */
  #settle(step: Step, after: After): void {
    const { instruction, frame, pc } = step;
    const set = (register: number, origin: Origin) => this.#origins.set(frame, register, origin);
    switch (instruction.kind) {
      case 'alu':
        set(instruction.dst, this.#computed(step, instruction));
        break;
      case 'endian':
        set(instruction.dst, { ...this.#origins.of(frame, instruction.dst), pc, pointer: false });
        break;
      case 'imm64':
        set(instruction.dst, { pc, pointer: instruction.value.type !== 'value', from: [] });
        break;
      case 'addr_space_cast':
        set(instruction.dst, this.#origins.of(frame, instruction.src));
        break;
      case 'load':
        set(instruction.dst, this.#loaded(step, instruction));
        break;
      case 'packet':
        set(0, { pc, pointer: false, from: [{ name: 'the packet', bytes: null }] });
        break;
      case 'store':
      case 'atomic':
        this.#stored(step, instruction);
        break;
      case 'jump':
        this.#branched(step, instruction, after.pc === instruction.target);
        break;
      case 'may_goto':
        this.#tell(step, 'branch', 'may_goto allows another round', after.pc !== instruction.target);
        break;
      case 'call':
        this.#called(step, instruction, after);
        break;
    }
  }

  #computed({ frame, pc }: Step, { op, width, dst, src }: Of<'alu'>): Origin {
    const a = this.#origins.of(frame, dst);
    const b = 'reg' in src ? this.#origins.of(frame, src.reg) : UNKNOWN;
    if (op === 'mov' && 'reg' in src) return width === 64 ? b : { ...b, pointer: false };
    if (op === 'mov') return { ...UNKNOWN, pc };
    if (op.startsWith('movsx')) return { ...b, pc, pointer: false };
    const isAddress =
      width === 64 && (op === 'add' ? a.pointer !== b.pointer : op === 'sub' && a.pointer && !b.pointer);
    return combined(pc, a, b, isAddress);
  }

  #loaded({ pc, before }: Step, { size, src, offset }: Of<'load'>): Origin {
    const address = addressOf(before, src, offset);
    const source = this.#sight.source(address, size);
    if (source === null) return this.#origins.load(address) ?? { ...UNKNOWN, pc };
    const pointer = this.#sight.holdsAddress(address);
    return { pc, pointer, from: pointer ? [] : [source] };
  }

  #stored(step: Step, instruction: Of<'store'> | Of<'atomic'>): void {
    const { frame, before, pc } = step;
    const { dst, offset, size, src } = instruction;
    if (instruction.kind === 'atomic' && instruction.op === 'load_acq') {
      this.#origins.set(frame, dst, { ...UNKNOWN, pc });
      return;
    }
    if (instruction.kind === 'atomic' && instruction.fetch) {
      const result = instruction.op === 'cmpxchg' ? 0 : instruction.src;
      this.#origins.set(frame, result, { ...UNKNOWN, pc });
    }
    const address = addressOf(before, dst, offset);
    const place = this.#sight.place(address, size);
    if (place === null) {
      const register = typeof src === 'number' ? undefined : 'reg' in src ? src.reg : undefined;
      const origin = register === undefined ? { ...UNKNOWN, pc } : this.#origins.of(frame, register);
      this.#origins.store(address, size === 8 ? origin : { ...origin, pointer: false });
      return;
    }
    this.#tell(step, 'write', `${place} becomes ${this.#sight.bytes(address, size)}`);
  }

  #branched(step: Step, { op, width, dst, src }: Of<'jump'>, taken: boolean): void {
    const { frame, before } = step;
    const name = (register: number) => (width === 32 ? `w${register}` : `r${register}`);
    const left = this.#origins.of(frame, dst);
    const right = 'imm' in src ? `${left.pointer && src.imm === 0 ? 'null' : src.imm}` : name(src.reg);
    const operands = 'imm' in src ? [dst] : [dst, src.reg];
    const values = operands.map((register) => {
      const value = this.#sight.value(before[register]!, this.#origins.of(frame, register), width, SIGNED.has(op));
      return `${name(register)} is ${value}`;
    });
    const condition = `${name(dst)} ${OPERATORS[op]} ${right}`;
    this.#lastBranch = this.#tell(step, 'branch', `${condition} is ${taken}: ${values.join(', ')}`, taken);
  }

  #called(step: Step, { target }: Of<'call'>, after: After): void {
    if (target.type === 'local') this.#functionReturned(step, target.pc, after.registers[0]!);
    else if (target.type === 'helper' && target.id === BPF_TAIL_CALL) this.#tailCalled(step, after.pc === 0);
    else this.#helperReturned(step, after.registers[0]!);
  }

  #functionReturned(step: Step, start: number, r0: bigint): void {
    const value = this.#sight.value(r0, this.#returned);
    this.#forgetArguments(step.frame, this.#returned);
    this.#tell(step, 'result', `${this.#callee(step.program, start)} gave ${value}`);
  }

  #helperReturned(step: Step, r0: bigint): void {
    const { frame, pc, args, instruction } = step;
    const callee = this.#calleeOf(step.program, instruction);
    const name = callee === undefined ? 'the helper' : `bpf_${callee.name}`;
    const returns = callee?.returns ?? 'integer';
    const pointer = returns.endsWith('?') || returns === 'value';
    this.#forgetArguments(frame, { pc, pointer, from: pointer ? [] : [{ name: `${name}()`, bytes: null }] });
    const result = instruction.kind === 'call' && instruction.target.type === 'kfunc' ? extended(r0) : r0;
    const gave = returns === 'void' ? '' : ` gave ${pointer ? this.#found(step, r0) : resultText(result)}`;
    this.#tell(step, 'call', `${name}(${args.join(', ')})${gave}`);
  }

  /** A value of a map is told by what it holds. */
  #found({ before }: Step, r0: bigint): string {
    const shown = this.#sight.pointer(r0);
    if (!shown.startsWith('value of map')) return shown;
    const spec = this.#sight.map(Number(before[1]!))?.spec;
    return spec === undefined ? shown : `a value: ${this.#sight.typed(Number(r0), spec.valueSize, spec.valueBtfId)}`;
  }

  #tailCalled(step: Step, isDone: boolean): void {
    const { frame, before } = step;
    const map = this.#sight.map(Number(before[2]!))?.spec.name ?? '?';
    const slot = `slot ${before[3]! & 0xffff_ffffn} of map ${map}`;
    if (isDone) this.#origins.enter(frame, [START_POINTER]);
    const text = isDone
      ? `goes on in the program of ${slot}`
      : `goes on here: ${slot} is empty, or it was the 34th tail call`;
    this.#tell(step, 'tail-call', text);
  }

  /** r1 to r5 do not outlive a call. */
  #forgetArguments(frame: number, result: Origin): void {
    this.#origins.set(frame, 0, result);
    for (let register = 1; register <= 5; register++) this.#origins.set(frame, register, UNKNOWN);
  }
}

/** A kernel function gives an int. */
function extended(r0: bigint): bigint {
  return BigInt.asUintN(64, BigInt.asIntN(32, r0));
}

function addressOf(registers: BigUint64Array, register: number, offset: number): number {
  return Number(BigInt.asUintN(64, registers[register]! + BigInt(offset)));
}
