import type { AluOp, AtomicOp, Instruction, JumpOp } from './instruction.ts';

/** The shapes of the textual syntax: tokens, names, and the forms of which `forms.ts` is the table. */

export type TokenKind = 'mnemonic' | 'register' | 'number' | 'type' | 'label' | 'name' | 'text';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

/** Names for what instructions call by number; without one the number is printed. */
export interface Names {
  helper?(id: number): string | undefined;
  map?(index: number): string | undefined;
  kfunc?(index: number): string | undefined;
}

/** What the printing of an instruction needs besides it. */
export interface PrintContext {
  readonly pc: number;
  readonly names: Names;
}

/** What reading needs besides the text; each throws the assembler's error where its text means nothing. */
export interface ReadContext {
  readonly pc: number;
  /** Slot that `+3`, `pc+3` or a label means. */
  target(text: string): number;
  /** Slot of a label, undefined when the text has no such label. */
  label(name: string): number | undefined;
  /** Index or id of a name. */
  lookup(space: keyof Names, name: string): number;
  fail(message: string): never;
}

export type Values = Readonly<Record<string, string>>;
export type Filled = Readonly<Record<string, Token>>;

export interface Form {
  readonly pattern: string;
  /** Takes two slots. */
  readonly wide: boolean;
  readonly print: ((instruction: Instruction, context: PrintContext) => Filled | undefined) | null;
  readonly read: (values: Values, context: ReadContext) => Instruction;
}

const NUMBER = '(?:0x[0-9a-f]+|[0-9]+)';
const REGISTER = '(?:fp|[rw][0-9]+)';
const NAME = '[a-z_.$][\\w.$]*';

export const ALU_SYMBOLS: readonly (readonly [AluOp, string])[] = [
  ['mov', '='], ['add', '+='], ['sub', '-='], ['mul', '*='], ['div', '/='], ['sdiv', 's/='], ['or', '|='], ['and', '&='],
  ['lsh', '<<='], ['rsh', '>>='], ['arsh', 's>>='], ['mod', '%='], ['smod', 's%='], ['xor', '^='],
]; // biome-ignore format: a table

export const JUMP_SYMBOLS: readonly (readonly [JumpOp, string])[] = [
  ['eq', '=='], ['ne', '!='], ['gt', '>'], ['ge', '>='], ['lt', '<'], ['le', '<='], ['set', '&'],
  ['sgt', 's>'], ['sge', 's>='], ['slt', 's<'], ['sle', 's<='],
]; // biome-ignore format: a table

export const ATOMIC_SYMBOLS: readonly (readonly [AtomicOp, string])[] = [
  ['add', '+='], ['or', '|='], ['and', '&='], ['xor', '^='],
]; // biome-ignore format: a table

export const symbolOf = <T>(table: readonly (readonly [T, string])[], op: T): string | undefined =>
  table.find((entry) => entry[0] === op)?.[1];
export const opOf = <T>(table: readonly (readonly [T, string])[], symbol: string): T =>
  table.find((entry) => entry[1] === symbol.toLowerCase())![0];
const anyOf = (table: readonly (readonly [unknown, string])[]): string =>
  [...table]
    .map((entry) => entry[1].replace(/[\^$.*+?()[\]{}|]/g, '\\$&'))
    .sort((a, b) => b.length - a.length)
    .join('|');

/** What each kind of hole takes, as a regular expression without groups; case does not matter. */
const HOLES: Readonly<Record<string, string>> = {
  register: REGISTER,
  number: `[-+]?${NUMBER}`,
  operand: `${REGISTER}|[-+]?${NUMBER}`,
  assign: anyOf(ALU_SYMBOLS),
  compare: anyOf(JUMP_SYMBOLS),
  update: anyOf(ATOMIC_SYMBOLS),
  type: '[us](?:8|16|32|64)',
  offset: `(?:[-+] ?${NUMBER})?`,
  target: `(?:pc ?)?[-+]? ?${NUMBER}|${NAME}`,
  swap: '(?:be|le|bswap)(?:16|32|64)',
  fetch: 'atomic(?:64)?_fetch_(?:add|or|and|xor)',
  xchg: 'xchg(?:_64|32_32)',
  cmpxchg: 'cmpxchg(?:_64|32_32)',
  axchg: 'atomic(?:64)?_xchg',
  acmpxchg: 'atomic(?:64)?_cmpxchg',
  wide: `[-+]?${NUMBER}`,
  map: `map(?:_idx)?\\[(?:-?${NUMBER}|${NAME})\\](?:\\[0\\] ?\\+ ?${NUMBER})?`,
  function: `subprog\\[(?:[-+]${NUMBER}|${NAME})\\]`,
  ksym: `ksym\\[-?${NUMBER}\\]`,
  kfunc: `kfunc\\[(?:-?${NUMBER}|${NAME})\\](?:[-+]${NUMBER})?`,
  helper: `[-+]?${NUMBER}`,
  local: `pc ?[-+] ?${NUMBER}`,
  name: NAME,
  call: `${NAME}#[-+]?${NUMBER}`,
};

/** A pattern's parts: literal text, and holes `{name:kind}`. */
export type Part = string | { readonly hole: string; readonly kind: string };

export function partsOf(pattern: string): Part[] {
  return pattern
    .split(/(\{\w+:\w+\})/)
    .filter((part) => part !== '')
    .map((part) => {
      const [, hole, kind] = /^\{(\w+):(\w+)\}$/.exec(part) ?? [];
      return hole === undefined || kind === undefined ? part : { hole, kind };
    });
}

/**
 * The expression that reads a pattern in a line whose white space has been squeezed to single spaces: those are
 * optional wherever two words do not meet. Each hole is a named group.
 */
export function expressionOf(pattern: string): RegExp {
  const source = partsOf(pattern)
    .flatMap((part) => (typeof part === 'string' ? literal(part) : [`(?<${part.hole}>${HOLES[part.kind]})`]))
    .join(' ?');
  return new RegExp(`^${source}$`, 'i');
}

/** The words and signs of literal text. */
function literal(text: string): string[] {
  return text
    .split(/(\w+|\W)/)
    .filter((piece) => piece.trim() !== '')
    .map((piece) => (/\w/.test(piece) ? `\\b${piece}\\b` : `\\${piece}`));
}
