import { Reader } from '../base/bytes.ts';
import { LoadError } from '../base/errors.ts';
import { assemble } from './assemble.ts';
import { ANCILLARY_OFFSET, type ClassicInstruction, entryOf, label, SCRATCH_SLOTS } from './classic-table.ts';

/**
 * Classic BPF (S. McCanne, V. Jacobson, "The BSD packet filter", 1993; `struct sock_filter` of linux/filter.h): read
 * from what tcpdump prints, checked as Linux checks a filter that it is given, and translated to instructions of
 * RFC 9669 that run as a socket filter.
 */

/** BPF_MAXINSNS of linux/bpf_common.h. */
const MOST_INSTRUCTIONS = 4096;
/** Bytes of `struct sock_filter`. */
const INSTRUCTION_SIZE = 8;

function bad(code: string, message: string, help?: string): never {
  throw new LoadError(message, { code, stage: 'decode', ...(help === undefined ? {} : { help }) });
}

/**
 * Reads a filter from text: what `tcpdump -ddd` prints (a count, then four decimal numbers an instruction, on lines
 * or between commas as tc and iptables take them), or what `tcpdump -dd` prints (rows of a C array).
 * Throws a `LoadError` of stage `decode`.
 */
export function parseClassicText(text: string): ClassicInstruction[] {
  const rows = [...text.matchAll(/\{([^{}]*)\}/g)].map((match) => numbers(match[1]!.replaceAll(',', ' ')));
  if (rows.length > 0) return rows.map(toInstruction);
  const [count, ...rest] = text
    .split(/[\n,]/)
    .map(numbers)
    .filter((row) => row.length > 0);
  if (count?.length !== 1 || count[0] !== rest.length) {
    bad(
      'bad-classic-text',
      count?.length === 1
        ? `${count[0]} instructions are announced, ${rest.length} follow`
        : 'there is no count of instructions',
      'Make the text with tcpdump -ddd',
    );
  }
  return rest.map(toInstruction);
}

function numbers(text: string): number[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map((word) => (/^(0x[0-9a-f]+|\d+)$/i.test(word) ? Number(word) : Number.NaN));
}

function toInstruction(row: readonly number[], index: number): ClassicInstruction {
  const [code = Number.NaN, jt = Number.NaN, jf = Number.NaN, k = Number.NaN] = row;
  if (row.length !== 4 || !(code <= 0xffff && jt <= 0xff && jf <= 0xff && k <= 0xffff_ffff)) {
    bad('bad-classic-text', `instruction ${index} is not four numbers (code, jt, jf, k) within their fields`);
  }
  return { code, jt, jf, k };
}

/** Reads an array of `struct sock_filter`, little-endian. Throws a `LoadError` of stage `decode`. */
export function parseClassicBytes(bytes: Uint8Array): ClassicInstruction[] {
  if (bytes.length % INSTRUCTION_SIZE !== 0) {
    bad('misaligned-length', `${bytes.length} bytes are no whole number of classic instructions of 8 bytes`);
  }
  const reader = new Reader(bytes);
  return Array.from({ length: bytes.length / INSTRUCTION_SIZE }, (_, i) => {
    const at = i * INSTRUCTION_SIZE;
    return { code: reader.u16(at), jt: reader.u8(at + 2), jf: reader.u8(at + 3), k: reader.u32(at + 4) };
  });
}

/** Refuses, with a `LoadError` of stage `decode`, a filter that Linux refuses to attach. */
export function validateClassic(filter: readonly ClassicInstruction[]): void {
  if (filter.length === 0) bad('empty-filter', 'the classic filter has no instructions');
  if (filter.length > MOST_INSTRUCTIONS) {
    bad(
      'too-many-instructions',
      `the classic filter has ${filter.length} instructions, more than ${MOST_INSTRUCTIONS}`,
    );
  }
  for (const [pc, instruction] of filter.entries()) {
    const entry = entryOf(instruction);
    const where = `classic instruction ${pc}`;
    if (entry === undefined) bad('unknown-opcode', `${where}: code 0x${instruction.code.toString(16)} is none`);
    const { k } = instruction;
    if (entry.k === 'divisor' && k === 0) bad('division-by-zero', `${where} divides by 0`);
    if (entry.k === 'shift' && k >= 32) bad('bad-shift', `${where} shifts 32 bits by ${k}`);
    if (entry.k === 'slot' && k >= SCRATCH_SLOTS) bad('bad-scratch-slot', `${where} names M[${k}]; the last is M[15]`);
    if (entry.k === 'packet' && k >= ANCILLARY_OFFSET && entry.lines === null) {
      bad('unknown-ancillary', `${where} loads from ancillary offset ${k - ANCILLARY_OFFSET}, where there is nothing`);
    }
    for (const target of targets(instruction, pc)) {
      if (target >= filter.length) {
        // tcpdump makes loops for `protochain` and runs them itself: Linux takes no jump back.
        const said = target > 0x7fff_ffff ? 'jumps back' : `jumps to ${target}; the last is ${filter.length - 1}`;
        bad('jump-out-of-range', `${where} ${said}`);
      }
    }
  }
  if (entryOf(filter.at(-1)!)!.flow !== 'return') bad('no-return', 'the classic filter does not end in a return');
  checkScratch(filter);
}

/** Where a jump goes; nothing for what is none. */
function targets(instruction: ClassicInstruction, pc: number): number[] {
  const flow = entryOf(instruction)?.flow;
  if (flow === 'always') return [pc + 1 + instruction.k];
  return flow === 'branch' ? [pc + 1 + instruction.jt, pc + 1 + instruction.jf] : [];
}

const ALL_SLOTS = (1 << SCRATCH_SLOTS) - 1;

/** A scratch slot must be written on every way to where it is read. As on Linux, a return does not end a way. */
function checkScratch(filter: readonly ClassicInstruction[]): void {
  const arriving = new Array<number>(filter.length).fill(ALL_SLOTS);
  arriving[0] = 0;
  let written = ALL_SLOTS;
  for (const [pc, instruction] of filter.entries()) {
    written &= arriving[pc]!;
    const { scratch, flow } = entryOf(instruction)!;
    const slot = 1 << instruction.k;
    if (scratch === 'write') written |= slot;
    if (scratch === 'read' && (written & slot) === 0) {
      bad(
        'uninitialised-scratch',
        `classic instruction ${pc} reads M[${instruction.k}], which no way there has written`,
      );
    }
    if (flow === 'always' || flow === 'branch') {
      for (const target of targets(instruction, pc)) arriving[target]! &= written;
      written = ALL_SLOTS;
    }
  }
}

/**
 * The filter as assembly: A is r0, X is r7, r6 the context for packet loads, M[] the 64 bytes below r10, and r8 keeps A
 * where a load needs r0. What no jump reaches is left out, because a verifier refuses it where classic BPF does not.
 * Throws a `LoadError` for a filter that is invalid, or that loads what `__sk_buff` has no field for.
 */
export function translateClassicText(filter: readonly ClassicInstruction[]): string {
  validateClassic(filter);
  const lines = ['r6 = r1', 'w0 = 0', 'w7 = 0'];
  const reached = new Uint8Array(filter.length);
  const named = new Uint8Array(filter.length);
  reached[0] = 1;
  for (const [pc, instruction] of filter.entries()) {
    if (reached[pc] === 0) continue;
    const { flow, lines: written, refusal } = entryOf(instruction)!;
    if (refusal !== undefined) {
      bad(
        'unsupported-ancillary',
        `classic instruction ${pc} loads ${refusal}, which a socket filter's context does not hold`,
      );
    }
    for (const target of targets(instruction, pc)) {
      reached[target] = 1;
      named[target] = 1;
    }
    if (flow === 'next') reached[pc + 1] = 1;
    if (named[pc] === 1) lines.push(`${label(pc)}:`);
    lines.push(...written!(instruction, pc));
  }
  return `${lines.join('\n')}\n`;
}

/** The filter as wire bytes of RFC 9669, to be run as a socket filter. Throws as `translateClassicText` does. */
export function translateClassic(filter: readonly ClassicInstruction[]): Uint8Array {
  return assemble(translateClassicText(filter));
}
