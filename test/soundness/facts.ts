/** Holds what a run touches against what the verifier proved of it (`Facts`). */
import type { Facts, ProvenAccess } from '../../src/abi/facts.ts';
import { helperId } from '../../src/abi/helper-names.ts';
import { catalogue } from '../../src/engine/catalogue.ts';
import type { Instance } from '../../src/engine/instance.ts';
import type { Instruction } from '../../src/isa/instruction.ts';
import { STACK_BYTES } from '../../src/runtime/call/limits.ts';
import { WrittenStack } from './written-stack.ts';

const FRAME_POINTER = 10;
const TAIL_CALL = helperId('tail_call');

/** What a load, store or atomic operation does; undefined for other instructions. */
function operandOf(
  instruction: Instruction,
): { base: number; offset: number; size: number; reads: boolean; writes: boolean } | undefined {
  switch (instruction.kind) {
    case 'load':
      return { base: instruction.src, offset: instruction.offset, size: instruction.size, reads: true, writes: false };
    case 'store':
      return { base: instruction.dst, offset: instruction.offset, size: instruction.size, reads: false, writes: true };
    case 'atomic': {
      const acquires = instruction.op === 'load_acq';
      const base = acquires ? instruction.src : instruction.dst;
      const reads = instruction.op !== 'store_rel';
      return { base, offset: instruction.offset, size: instruction.size, reads, writes: !acquires };
    }
    default:
      return undefined;
  }
}

function isTailCall(instruction: Instruction): boolean {
  return instruction.kind === 'call' && instruction.target.type === 'helper' && instruction.target.id === TAIL_CALL;
}

/** A running function that was verified by itself, the program or a global function; its steps and rounds so far. */
interface Running {
  readonly frame: number;
  readonly start: number;
  steps: number;
  readonly rounds: Map<number, number>;
}

/** One program's facts, watched while its instance runs packets. */
export class FactsWatch {
  readonly #facts: Facts;
  readonly #instance: Instance;
  readonly #globals: ReadonlySet<number>;
  readonly #running: Running[] = [];
  #stack: WrittenStack | null = null;
  /** The last step may have been a tail call: to the program itself, it is a run of its own. */
  #tailCalls = false;

  constructor(facts: Facts, instance: Instance) {
    this.#facts = facts;
    this.#instance = instance;
    const { functions, btf } = instance.program;
    const globals = functions.filter(({ linkage, btfId }) => linkage === 'global' && btf !== null && btfId !== null);
    this.#globals = new Set(globals.map(({ start }) => start));
  }

  /** A packet's run begins. */
  begin(): void {
    this.#running.length = 0;
    this.#stack = null;
  }

  /** What is wrong at this step, before the instruction runs; undefined when all is as proved. */
  wrongAt(pc: number, frame: number, registers: BigUint64Array): string | undefined {
    const { reached, loops, longest } = this.#facts;
    if (reached[pc] !== 1) return 'said to be unreachable';
    const running = this.#runningIn(frame, pc);
    const most = longest.get(running.start);
    if (most != null && ++running.steps > most) return `step ${running.steps} of ${most} at most`;
    const bound = loops.get(pc);
    if (typeof bound === 'number') {
      const round = (running.rounds.get(pc) ?? 0) + 1;
      running.rounds.set(pc, round);
      if (round > bound) return `round ${round} of a loop of ${bound} at most`;
    }
    const instruction = this.#instance.program.instructions[pc]!;
    this.#tailCalls = isTailCall(instruction);
    const framePointer = Number(registers[FRAME_POINTER]!);
    this.#stack ??= new WrittenStack(this.#instance.memory, framePointer);
    this.#stack.step(frame, framePointer);
    const operand = operandOf(instruction);
    if (operand !== undefined) {
      const address = Number(registers[operand.base]!) + operand.offset;
      return (
        this.#outside(this.#facts.accesses[pc]!, address, operand.size, operand.writes, registers) ??
        this.#unwritten(address, operand.size, operand.reads, operand.writes)
      );
    }
    return instruction.kind === 'call' && instruction.target.type === 'helper'
      ? this.#wrongCall(pc, instruction.target.id, registers)
      : undefined;
  }

  #runningIn(frame: number, pc: number): Running {
    const running = this.#running;
    if (this.#tailCalls && pc === 0) running.length = 0;
    while (running.length > 0 && running.at(-1)!.frame > frame) running.pop();
    const begins = running.length === 0 || (frame > running.at(-1)!.frame && this.#globals.has(pc));
    if (begins) running.push({ frame, start: pc, steps: 0, rounds: new Map() });
    return running.at(-1)!;
  }

  #wrongCall(pc: number, helper: number, registers: BigUint64Array): string | undefined {
    const call = this.#facts.calls.get(pc);
    if (call === undefined) return undefined;
    const { args } = catalogue.helpers.get(helper)!.prototype;
    const spec = call.map === null ? undefined : this.#instance.maps[call.map];
    const mapAt = args.indexOf('map') + 1;
    if (spec !== undefined && registers[mapAt] !== BigInt(spec.handle)) return `r${mapAt} is not map ${spec.spec.name}`;
    for (const [i, proven] of call.arguments.entries()) {
      const address = Number(registers[i + 1]!);
      if (proven.length === 0 || address === 0) continue;
      const size = this.#sizeOf(args, i, spec?.spec, registers);
      const writes = proven.some((each) => each.writes);
      const most = proven.reduce((largest, { from, to }) => Math.max(largest, to - from), 0);
      const wrong =
        this.#outside(proven, address, size ?? 0, false, registers) ??
        this.#unwritten(address, size ?? most, !writes, writes);
      if (wrong !== undefined) return `argument ${i + 1}: ${wrong}`;
    }
    return undefined;
  }

  #unwritten(address: number, size: number, reads: boolean, writes: boolean): string | undefined {
    const isStale = reads && this.#facts.unwritten.length === 0 && this.#stack!.lacks(address, size);
    if (writes) this.#stack!.write(address, size);
    return isStale ? `${size} bytes of stack are read that were never written` : undefined;
  }

  /** Bytes that an argument is for; null where the prototype does not tell. */
  #sizeOf(
    args: readonly string[],
    index: number,
    map: { readonly keySize: number; readonly valueSize: number } | undefined,
    registers: BigUint64Array,
  ): number | null {
    const kind = args[index]!;
    if (kind === 'key') return map?.keySize ?? null;
    if (kind.startsWith('value')) return map?.valueSize ?? null;
    return args[index + 1]?.startsWith('size') === true ? Number(registers[index + 2]!) : null;
  }

  #outside(
    proven: readonly ProvenAccess[],
    address: number,
    size: number,
    writes: boolean,
    registers: BigUint64Array,
  ): string | undefined {
    const within = proven.some((each) => {
      if (writes && !each.writes) return false;
      const start = this.#startOf(each, address, Math.max(size, 1), registers);
      if (start === null) return size <= each.to - each.from;
      const offset = address - start;
      return offset >= each.from && offset + size <= each.to;
    });
    if (within) return undefined;
    return `${size} bytes at ${this.#instance.memory.describe(address)} are not among ${JSON.stringify(proven)}`;
  }

  /** Where the region starts that an access is said to be in: NaN where the address is not in such a one, null where that cannot be seen. */
  #startOf(
    { kind, map, frame }: ProvenAccess,
    address: number,
    size: number,
    registers: BigUint64Array,
  ): number | null {
    const { memory, packet, context, socket, maps } = this.#instance;
    switch (kind) {
      case 'stack':
        return Number(registers[FRAME_POINTER]!) + frame * STACK_BYTES;
      case 'packet':
        return packet.data;
      case 'packet-meta':
        return packet.meta;
      case 'context':
        return context;
      case 'socket':
        return socket;
      case 'map-value':
      case 'map-key': {
        if (map === null) return null;
        const region = memory.regionOf(address, size);
        const what = kind === 'map-value' ? 'value' : 'key';
        if (region?.name !== `${what} of map ${maps[map]!.spec.name}`) return Number.NaN;
        return region.start + Math.floor((address - region.start) / region.stride) * region.stride;
      }
      case 'memory':
      case 'flow-keys':
      case 'kernel':
        return null;
    }
  }
}
