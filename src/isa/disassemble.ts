import { FORMS } from './forms.ts';
import type { Instruction } from './instruction.ts';
import { type Names, type Part, partsOf, type Token } from './syntax.ts';

const printed = FORMS.flatMap(({ print, pattern }) => (print === null ? [] : [{ print, parts: partsOf(pattern) }]));

/**
 * The instruction at slot `pc` in the kernel's syntax, as tokens for a page to style. Their texts, joined, are what
 * `disassemble` gives.
 */
export function disassembleTokens(instruction: Instruction, pc: number, names: Names = {}): Token[] {
  for (const { print, parts } of printed) {
    const filled = print(instruction, { pc, names });
    if (filled !== undefined) return parts.flatMap((part) => tokensOf(part, filled));
  }
  const said = instruction.kind === 'invalid' ? `${instruction.code}: ${instruction.message}` : instruction.kind;
  return [
    { kind: 'mnemonic', text: '.invalid' },
    { kind: 'text', text: ` ${said}` },
  ];
}

function tokensOf(part: Part, filled: Readonly<Record<string, Token>>): Token[] {
  if (typeof part !== 'string') {
    const token = filled[part.hole]!;
    return token.text === '' ? [] : [token];
  }
  return part
    .split(/(\w+)/)
    .filter((text) => text !== '')
    .map((text): Token => {
      if (text === 'r0') return { kind: 'register', text };
      return { kind: /\w/.test(text) ? 'mnemonic' : 'text', text };
    });
}

/**
 * The instruction at slot `pc` in the kernel's syntax, on one line: `r0 = *(u32 *)(r1 + 4)`. `assemble` reads it back,
 * except for kind `invalid`, which is no instruction and prints as `.invalid` with the reason.
 */
export function disassemble(instruction: Instruction, pc: number, names: Names = {}): string {
  return disassembleTokens(instruction, pc, names)
    .map((token) => token.text)
    .join('');
}
