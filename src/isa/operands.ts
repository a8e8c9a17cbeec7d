import type { Immediate64, Operand, Size, Width } from './instruction.ts';
import type { Names, PrintContext, ReadContext, Token, TokenKind } from './syntax.ts';

/** How the operands of an instruction are printed and read: registers, numbers, types, targets, names. */

const token =
  (kind: TokenKind) =>
  (text: string | number | bigint): Token => ({ kind, text: String(text) });
export const word = token('mnemonic');
export const number = token('number');
export const type = token('type');
export const label = token('label');
export const name = token('name');
export const text = token('text');
export const register = (index: number, width: Width = 64): Token =>
  token('register')(`${width === 32 ? 'w' : 'r'}${index}`);
export const operand = (source: Operand, width: Width = 64): Token =>
  'reg' in source ? register(source.reg, width) : number(source.imm);
export const signed = (value: number): string => (value < 0 ? `${value}` : `+${value}`);
export const offset = (value: number): Token => number(value < 0 ? `- ${-value}` : `+ ${value}`);
export const goto = (target: number, { pc }: PrintContext): Token => label(signed(target - pc - 1));
/** A name is printed only where it can be read back as one. */
export const named = (text: string | undefined, index: number): string =>
  text !== undefined && /^[A-Za-z_.$][\w.$]*$/.test(text) ? text : `${index}`;

export const widthOf = (size: Size): Width => (size === 8 ? 64 : 32);
export const unsignedType = (size: Size): Token => type(`u${size * 8}`);

/** A number of the text; `limit` is the size of its field in bits, of either sign: 0xffffffff is −1 in 32 bits. */
export function toBig(text: string): bigint {
  const plain = text.replace(/[\s+]/g, '');
  return plain.startsWith('-') ? -BigInt(plain.slice(1)) : BigInt(plain);
}

export function toImm(text: string, context: ReadContext): number {
  const value = toBig(text);
  if (value < -0x8000_0000n || value > 0xffff_ffffn) context.fail(`${text} does not fit 32 bits`);
  return Number(BigInt.asIntN(32, value));
}

/** An offset of 16 bits; the encoder checks its range. */
export const toOffset = (text: string | undefined): number => (text ? Number(toBig(text)) : 0);

export function toRegister(text: string, context: ReadContext, width?: Width): number {
  const lower = text.toLowerCase();
  const index = lower === 'fp' ? 10 : Number(lower.slice(1));
  if (index > 10) context.fail(`there is no register ${text}; the last is r10`);
  if (width !== undefined && width !== toWidth(text)) {
    context.fail(`${text} has ${toWidth(text)} bits where ${width} are needed`);
  }
  return index;
}

/** The index of a register that must be a whole one. */
export const reg64 = (text: string | undefined, context: ReadContext): number => toRegister(text!, context, 64);

export const toWidth = (text: string): Width => (text.toLowerCase().startsWith('w') ? 32 : 64);
export const toSize = (text: string): Size => (Number(text.slice(1)) / 8) as Size;

export function toOperand(text: string, context: ReadContext, width?: Width): Operand {
  return /^[-+0-9]/.test(text) ? { imm: toImm(text, context) } : { reg: toRegister(text, context, width) };
}

/** Both registers of one instruction that the text names twice must be the same. */
export function toSame(first: string, second: string, context: ReadContext): number {
  const index = toRegister(first, context);
  if (toRegister(second, context) !== index) context.fail(`${first} and ${second} must be the same register`);
  return index;
}

/** The size of an unsigned type, of those allowed. */
export function toUnsigned(text: string, context: ReadContext, allowed: readonly Size[] = [1, 2, 4, 8]): Size {
  const size = toSize(text);
  if (/^s/i.test(text) || !allowed.includes(size)) {
    context.fail(`the type here is ${allowed.map((each) => `u${each * 8}`).join(', ')}, not ${text}`);
  }
  return size;
}

export function printWide(value: Immediate64, { pc, names }: PrintContext): Token {
  switch (value.type) {
    case 'value':
      return number(`0x${value.value.toString(16)}`);
    case 'map':
      return name(`map[${named(names.map?.(value.map), value.map)}]`);
    case 'map-value':
      return name(`map[${named(names.map?.(value.map), value.map)}][0]+${value.offset}`);
    case 'map-by-index':
      return name(`map_idx[${value.map}]`);
    case 'map-value-by-index':
      return name(`map_idx[${value.map}][0]+${value.offset}`);
    case 'function':
      return name(`subprog[${signed(value.pc - pc - 1)}]`);
    case 'ksym':
      return name(`ksym[${value.btfId}]`);
  }
}

export const indexed = (space: keyof Names, text: string, context: ReadContext): number =>
  /^[-0-9]/.test(text) ? toImm(text, context) : context.lookup(space, text);

/** The size that the name of an exchange ends in: `_64`, `32_32`. */
export const suffixSize = (mnemonic: string): Size => (mnemonic.endsWith('_64') ? 8 : 4);
