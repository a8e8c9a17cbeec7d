import type { PathEvent } from '../../abi/report.ts';
import { type Instruction, slots as slotsOf } from '../../isa/instruction.ts';
import { functionAt, type Program } from '../../program/program.ts';
import { constantOf, constantRegister, isPacket, isPointer, type Register, UNSET } from '../state/register.ts';
import { FRAME_POINTER } from '../state/state.ts';
import type { Trail } from '../state/trail.ts';
import { decide } from '../step/branch.ts';
import { SLOT_PLACE } from '../walk/history.ts';
import { conditionOf } from './conditions.ts';
import { changeOf, nameState } from './states.ts';

/** Something that happened on the way and matters. */
export interface Event extends Omit<PathEvent, 'instruction'> {
  /** Position on the path. */
  readonly at: number;
  /** 0 tells most: what made the value; 1: which way was taken; 2: a mere copy. */
  readonly rank: 0 | 1 | 2;
}

/** What a call did to a register besides what it returns: the true reason of many refusals. */
export interface Loss {
  readonly kind: 'call' | 'packet-moved';
  readonly register: string;
  readonly pc: number;
  readonly callee: string;
}

export interface Slice {
  readonly events: readonly Event[];
  readonly loss: Loss | null;
}

/** Codes of places: a register (0–10) or a stack slot (16 + n), of a frame. */
const key = (frame: number, place: number): number => frame * 256 + place;
const frameOfKey = (code: number): number => code >> 8;
const placeOfKey = (code: number): number => code & 255;

function valueAt(trail: Trail, code: number): Register {
  const frame = trail.frames[frameOfKey(code)];
  if (frame === undefined) return UNSET;
  const place = placeOfKey(code);
  return place < SLOT_PLACE ? frame.registers[place]! : (frame.slots[place - SLOT_PLACE]?.spilled ?? UNSET);
}

function nameOf(code: number): string {
  const place = placeOfKey(code);
  return place < SLOT_PLACE ? `r${place}` : `the stack at r10-${8 * (place - SLOT_PLACE + 1)}`;
}

/** What a place of the running function holds, and its name in a report. */
export function placeAt(trail: Trail, place: number): { readonly name: string; readonly value: Register } {
  const code = key(trail.frames.length - 1, place);
  return {
    name: place < SLOT_PLACE ? `r${place}` : `r10-${8 * (place - SLOT_PLACE + 1)}`,
    value: valueAt(trail, code),
  };
}

/** The path from its start to `last`. */
export function pathTo(last: Trail): Trail[] {
  const path: Trail[] = [];
  for (let each: Trail | null = last; each !== null; each = each.parent) path.push(each);
  return path.reverse();
}

/**
 * Follows the places at fault (registers, or 16 + n for a slot of the stack) back along the path to where they came from: each instruction that wrote them or what
 * they were made of, each branch that told more about them, and which way was taken where two were possible.
 */
export function slice(program: Program, path: readonly Trail[], places: readonly number[], names: Callees): Slice {
  const last = path[path.length - 1]!;
  const wanted = new Set(places.map((place) => key(last.frames.length - 1, place)));
  const events: Event[] = [];
  let loss: Loss | null = null;
  for (let at = path.length - 2; at >= 0; at--) {
    const before = path[at]!;
    const after = path[at + 1]!;
    const { pc } = before;
    const instruction = program.instructions[pc]!;
    if (instruction.kind === 'jump') {
      const event = branchEvent(before, after, instruction, wanted);
      if (event !== null) events.push({ ...event, at });
      continue;
    }
    const moved = crossFrames(before, after, wanted);
    for (const code of [...wanted]) {
      if (moved.has(code)) continue;
      const made = step(before, after, instruction, code, names);
      if (made === null) continue;
      if (made.event !== null) events.push({ pc, at, ...made.event });
      if (made.loss !== undefined) loss ??= { ...made.loss, pc };
      if (made.from !== null) {
        wanted.delete(code);
        for (const each of made.from) wanted.add(each);
      }
    }
    const passed = [...moved].filter(([, from]) => from !== null && after.frames.length > before.frames.length);
    if (passed.length > 0) {
      const what = passed.map(([code]) => `${nameOf(code)} is ${nameState(valueAt(after, code))}`).join(', ');
      const name = functionAt(program, after.pc)?.name ?? 'the function';
      events.push({ pc, at, kind: 'branch', text: `calls ${name}, where ${what}`, rank: 1 });
    }
    for (const [code, from] of moved) {
      wanted.delete(code);
      if (from !== null) wanted.add(from);
      if (from !== null && placeOfKey(code) === 0) {
        events.push({ pc, at, ...returned(valueAt(after, code), functionAt(program, pc)?.name ?? 'the function') });
      }
    }
  }
  return { events: events.reverse(), loss };
}

/** Names of what an instruction calls, and of the context's fields. */
export interface Callees {
  callee(instruction: Extract<Instruction, { kind: 'call' }>): string;
  field(offset: number): string | undefined;
  /** The instruction at `pc` as text. */
  text(pc: number): string;
}

/** Arguments of a call come from the caller's registers, and what it returns from r0 of the function. */
function crossFrames(before: Trail, after: Trail, wanted: ReadonlySet<number>): Map<number, number | null> {
  const moved = new Map<number, number | null>();
  const was = before.frames.length - 1;
  const is = after.frames.length - 1;
  if (was === is) return moved;
  for (const code of wanted) {
    const place = placeOfKey(code);
    if (is > was && frameOfKey(code) === is) {
      const passed =
        place >= 1 && place <= 5 && after.frames[is]!.registers[place] === before.frames[was]!.registers[place];
      moved.set(code, passed ? key(was, place) : null);
    } else if (is < was && frameOfKey(code) === is && place === 0) moved.set(code, key(was, 0));
  }
  return moved;
}

function returned(value: Register, name: string): Omit<Event, 'at' | 'pc'> {
  if (value.kind === 'unset') return { kind: 'effect', text: `${name} ends without a value in r0`, rank: 0 };
  return { kind: 'write', text: `r0 is ${nameState(value)} (returned by ${name})`, rank: 2 };
}

interface Made {
  readonly event: Omit<Event, 'at' | 'pc'> | null;
  /** Where the value came from; null where the place keeps being of interest. */
  readonly from: readonly number[] | null;
  readonly loss?: Omit<Loss, 'pc'>;
}

/** What one instruction did to one place; null for nothing. */
function step(before: Trail, after: Trail, instruction: Instruction, code: number, names: Callees): Made | null {
  const top = before.frames.length - 1;
  const was = valueAt(before, code);
  const is = valueAt(after, code);
  const place = placeOfKey(code);
  if (place >= SLOT_PLACE) return stepSlot(before, instruction, code, was, is);
  if (frameOfKey(code) !== top) return null;
  if (instruction.kind === 'call') return stepCall(instruction, place, was, is, names);
  if (writtenBy(instruction) !== place) return null;
  const write = (how: string, from: readonly number[], rank: Event['rank'] = 0): Made => ({
    event: { kind: 'write', text: `r${place} is ${nameState(is)}${how === '' ? '' : ` (${how})`}`, rank },
    from,
  });
  switch (instruction.kind) {
    case 'alu': {
      const { op, src, dst } = instruction;
      const other = 'reg' in src && src.reg !== FRAME_POINTER ? [key(top, src.reg)] : [];
      if (op === 'mov' && 'reg' in src) return write(`copied from r${src.reg}`, other, 2);
      return write(names.text(before.pc), op.startsWith('mov') ? other : [key(top, dst), ...other]);
    }
    case 'load': {
      const base = before.frames[top]!.registers[instruction.src]!;
      const slot = base.kind === 'stack' && base.value.isConst ? slotAt(base, instruction.offset) : null;
      if (slot !== null) return write(`read back from ${nameOf(slot)}`, [slot], 2);
      return write(`read from ${sourceOf(base, instruction.offset, names)}`, []);
    }
    case 'endian':
      return write('bytes swapped', [code]);
    default:
      return write(names.text(before.pc), []);
  }
}

function stepCall(
  instruction: Extract<Instruction, { kind: 'call' }>,
  place: number,
  was: Register,
  is: Register,
  names: Callees,
): Made | null {
  const callee = names.callee(instruction);
  if (place === 0) {
    const text =
      is.kind === 'unset' ? `${callee} returns nothing in r0` : `r0 is ${nameState(is)} (returned by ${callee})`;
    return { event: { kind: 'write', text, rank: 0 }, from: [] };
  }
  const name = `r${place}`;
  if (is.kind === 'unset') {
    return {
      event: { kind: 'effect', text: `the call of ${callee} leaves ${name} without a value`, rank: 0 },
      from: [],
      loss: { kind: 'call', register: name, callee },
    };
  }
  if ((isPacket(was) || was.kind === 'packet-end') && is.kind === 'scalar') {
    return {
      event: {
        kind: 'effect',
        text: `${callee} may move the packet: ${name} was ${nameState(was)} and is a mere number now`,
        rank: 0,
      },
      from: null,
      loss: { kind: 'packet-moved', register: name, callee },
    };
  }
  const change = changeOf(was, is);
  return change === null
    ? null
    : { event: { kind: 'effect', text: `after ${callee}, ${name} ${change}`, rank: 0 }, from: null };
}

function stepSlot(before: Trail, instruction: Instruction, code: number, was: Register, is: Register): Made | null {
  const top = before.frames.length - 1;
  if (instruction.kind === 'store' && 'reg' in instruction.src) {
    const base = before.frames[top]!.registers[instruction.dst]!;
    if (base.kind === 'stack' && base.value.isConst && slotAt(base, instruction.offset) === code) {
      const { reg } = instruction.src;
      const text =
        is.kind === 'unset'
          ? `${nameOf(code)} gets bytes of r${reg}`
          : `${nameOf(code)} is ${nameState(is)} (copied from r${reg})`;
      return { event: { kind: 'write', text, rank: 2 }, from: [key(top, reg)] };
    }
  }
  const change = changeOf(was, is);
  if (change === null) return null;
  const text = is.kind === 'unset' ? `is overwritten, and so is no longer ${nameState(was)}` : change;
  return { event: { kind: 'effect', text: `${nameOf(code)} ${text}`, rank: 0 }, from: null };
}

/** The slot in which an access through a stack pointer begins. */
function slotAt(base: Register, offset: number): number | null {
  const at = base.offset + constantOf(base.value) + offset;
  return at < 0 ? key(base.extent, SLOT_PLACE + Math.floor((-at - 1) / 8)) : null;
}

function sourceOf(base: Register, offset: number, names: Callees): string {
  if (base.kind === 'context') {
    const field = names.field(offset + base.offset);
    return field === undefined ? `the context at ${offset}` : `ctx->${field}`;
  }
  if (isPacket(base)) return 'the packet';
  return nameState(base);
}

function writtenBy(instruction: Instruction): number | null {
  switch (instruction.kind) {
    case 'alu':
    case 'endian':
    case 'imm64':
    case 'load':
    case 'addr_space_cast':
      return instruction.dst;
    case 'packet':
      return 0;
    case 'atomic':
      if (instruction.op === 'load_acq') return instruction.dst;
      if (!instruction.fetch) return null;
      return instruction.op === 'cmpxchg' ? 0 : instruction.src;
    default:
      return null;
  }
}

/** Which way a branch went, where both were possible or where it told something about what is wanted. */
function branchEvent(
  before: Trail,
  after: Trail,
  jump: Extract<Instruction, { kind: 'jump' }>,
  wanted: ReadonlySet<number>,
): Omit<Event, 'at'> | null {
  const { registers } = before.frames[before.frames.length - 1]!;
  const a = registers[jump.dst]!;
  const b = 'reg' in jump.src ? registers[jump.src.reg]! : constantRegister(jump.src.imm);
  const learned = new Map<string, string[]>();
  for (const code of wanted) {
    const change = changeOf(valueAt(before, code), valueAt(after, code));
    if (change === null) continue;
    const about = change.startsWith('is ') ? `${nameOf(code)} ${change}` : change;
    learned.set(about, [...(learned.get(about) ?? []), nameOf(code)]);
  }
  const open = decide(jump, a, b) === null;
  if (!open && learned.size === 0) return null;
  const taken = after.pc === jump.target && after.pc !== before.pc + slotsOf(jump);
  const condition = conditionOf(jump, a, b);
  const tells = [...learned.keys()].join('; ');
  const isNull = a.nullable && isPointer(a) && learned.size > 0;
  return {
    pc: before.pc,
    kind: learned.size > 0 ? 'learn' : 'branch',
    text: isNull ? tells : `${condition} is ${taken}${tells === '' ? '' : `: ${tells}`}`,
    rank: learned.size > 0 ? 0 : 1,
  };
}
