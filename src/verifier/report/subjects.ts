import type { Catalogue } from '../../abi/catalogue.ts';
import type { Refusal } from '../../abi/verdict.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { functionAt, type Program } from '../../program/program.ts';
import { slotAt } from '../regions/stack.ts';
import { constantOf, isPointer } from '../state/register.ts';
import type { Trail } from '../state/trail.ts';
import { SLOT_PLACE } from '../walk/history.ts';
import type { Event } from './slice.ts';

/** What a report follows back: the places at fault, and moments of the path that matter by themselves. */
export interface Subjects {
  /** Registers, or 16 + n for a slot of the stack. */
  readonly places: readonly number[];
  readonly events: readonly Event[];
}

const SPIN_LOCK = 93;
const FRAME_POINTER = 10;

export function subjectsOf(program: Program, catalogue: Catalogue, refusal: Refusal, path: readonly Trail[]): Subjects {
  switch (refusal.code) {
    case 'infinite-loop':
      return loopSubjects(program, refusal, path);
    case 'unreleased-reference':
      return referenceSubjects(path);
    case 'lock':
      return { places: [], events: lockEvents(program, path) };
    case 'stack-access':
      return { places: stackPlaces(program, catalogue, refusal, path), events: [] };
    default:
      return { places: namedRegisters(program, catalogue, refusal), events: [] };
  }
}

/** A refusal's sentence names the registers at fault; where a size is at stake, it comes with its memory, and a pointer with what it is moved by. */
function namedRegisters(program: Program, catalogue: Catalogue, { code, message, pc }: Refusal): number[] {
  const named = [...message.matchAll(/\br([0-9])\b/g)].map(([, index]) => Number(index));
  const instruction = program.instructions[pc!];
  if (instruction?.kind === 'call' && instruction.target.type === 'helper') {
    const args = catalogue.helpers.get(instruction.target.id)?.prototype.args ?? [];
    for (const index of [...named]) if (args[index]?.startsWith('size') === true) named.push(index + 1);
  }
  const moves = code.startsWith('pointer-') && instruction?.kind === 'alu';
  if (moves && 'reg' in instruction.src) named.push(instruction.src.reg);
  if (named.length === 0) named.push(...pointerOf(instruction));
  return [...new Set(named)].filter((index) => index !== FRAME_POINTER);
}

/** A pointer that is kept where the stack is accessed, or the argument of a call that leads to the stack. */
function stackPlaces(program: Program, catalogue: Catalogue, refusal: Refusal, path: readonly Trail[]): number[] {
  const end = path[path.length - 1]!;
  const { registers, slots } = end.frames[end.frames.length - 1]!;
  const instruction = program.instructions[refusal.pc!];
  const at = stackOffset(refusal);
  if (instruction?.kind === 'call' && instruction.target.type === 'helper' && at !== null) {
    const args = catalogue.helpers.get(instruction.target.id)?.prototype.args ?? [];
    const given = registers.findIndex(
      (each, index) =>
        index >= 1 && index <= args.length && each.kind === 'stack' && each.offset + constantOf(each.value) === at,
    );
    if (given > 0) return args[given]?.startsWith('size') === true ? [given, given + 1] : [given];
  }
  const slot = at === null || at >= 0 ? undefined : slots[slotAt(at)]?.spilled;
  return slot != null && isPointer(slot) ? [SLOT_PLACE + slotAt(at!)] : namedRegisters(program, catalogue, refusal);
}

/** Where on the stack, as the refusal has it. */
function stackOffset({ message }: Refusal): number | null {
  const found = /\br10([+-]\d+)/.exec(message);
  return found === null ? null : Number(found[1]);
}

/** The pointer of an access that is refused for what it leads to. */
function pointerOf(instruction: Instruction | undefined): number[] {
  if (instruction?.kind === 'load') return [instruction.src];
  return instruction?.kind === 'store' || instruction?.kind === 'atomic' ? [instruction.dst] : [];
}

/** The registers that the loop's own branches look at. */
function loopSubjects(program: Program, { pc }: Refusal, path: readonly Trail[]): Subjects {
  let start = path.length - 1;
  while (start > 0 && path[start]!.pc !== pc) start--;
  const registers = new Set<number>();
  for (const { pc: at } of path.slice(start)) {
    const instruction = program.instructions[at]!;
    if (instruction.kind !== 'jump') continue;
    registers.add(instruction.dst);
    if ('reg' in instruction.src) registers.add(instruction.src.reg);
  }
  return { places: [...registers], events: [] };
}

/** Who holds what was not released, and where it was acquired. */
function referenceSubjects(path: readonly Trail[]): Subjects {
  const end = path[path.length - 1]!;
  const [first] = end.references;
  if (first === undefined) return { places: [], events: [] };
  const registers = end.frames[end.frames.length - 1]!.registers;
  const holders = registers.flatMap((each, index) => (each.reference === first.id ? [index] : []));
  const at = path.findLastIndex((each) => each.pc === first.pc);
  const text = 'acquired here: from now on it must be released on every path';
  return { places: holders, events: at < 0 ? [] : [{ at, pc: first.pc, kind: 'effect', text, rank: 0 }] };
}

function lockEvents(program: Program, path: readonly Trail[]): Event[] {
  const at = path.slice(0, -1).findLastIndex(({ pc }) => {
    const instruction = program.instructions[pc];
    return instruction?.kind === 'call' && instruction.target.type === 'helper' && instruction.target.id === SPIN_LOCK;
  });
  if (at < 0) return [];
  const { pc } = path[at]!;
  const where = functionAt(program, pc)?.name ?? program.name;
  return [{ at, pc, kind: 'effect', text: `the lock is taken here, in ${where}`, rank: 0 }];
}
