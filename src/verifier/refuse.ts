import type { Refusal } from '../abi/verdict.ts';
import { lineAt, type Program } from '../program/program.ts';

/** Every code that a refusal can have, and what it means. */
export const REFUSAL_CODES = {
  'no-instructions': 'The program is empty.',
  'too-many-instructions': 'The program is longer than Linux takes.',
  'unknown-program-type': 'The program type has no entry in the catalogue.',
  'unknown-opcode': 'The opcode is no instruction.',
  'reserved-field': 'A field that must be 0 is not.',
  'bad-register': 'A register beyond r10 is named.',
  'incomplete-imm64': 'A 64-bit immediate lacks its second half.',
  'misaligned-length': 'The program is no whole number of instructions.',
  'frame-pointer-write': 'r10 is written; it is read-only.',
  'bad-shift': 'A constant shift is as wide as the operand or wider.',
  'division-by-zero': 'A division or modulo by the constant 0.',
  'bad-map': 'An instruction names a map that the object does not have.',
  'bad-map-value': 'An instruction names a byte that the map value does not have.',
  'bad-function-pointer': 'A function pointer leads to no function.',
  'bad-kernel-symbol': 'A kernel symbol is named that cannot be resolved.',
  'bad-jump': 'A jump leads out of its function or into the middle of an instruction.',
  'bad-call': 'A call leads to no function.',
  'falls-through': 'A function does not end in exit or a jump.',
  'unreachable-instruction': 'No path leads to an instruction.',
  'call-depth': 'Calls nest deeper than 8 frames.',
  recursion: 'A function calls itself, directly or through others.',
  'unknown-helper': 'There is no helper of that number.',
  'helper-not-allowed': 'The helper is not for programs of this type.',
  'helper-gpl-only': 'The helper asks for a licence compatible with the GPL.',
  'indirect-call': 'A call through a register.',
} as const;

export type RefusalCode = keyof typeof REFUSAL_CODES;

export function refuse(
  program: Program,
  code: RefusalCode,
  pc: number | null,
  message: string,
  help: string | null = null,
): Refusal {
  return { code, pc, message, help, line: pc === null ? null : (lineAt(program, pc) ?? null) };
}
