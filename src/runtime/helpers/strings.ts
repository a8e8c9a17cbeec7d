import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { bytesToText } from './format.ts';

/** Of a number's text, Linux looks at as many bytes as 64 binary digits would take. */
const MOST_DIGITS = 63;
const MAX_U64 = (1n << 64n) - 1n;
const MAX_S64 = (1n << 63n) - 1n;
/** White space as Linux's isspace has it: of ISO 8859-1. */
const NUMBER_START = /^[\t-\r \xa0]*(-?)/;
const DIGITS: Readonly<Record<number, RegExp>> = { 8: /^[0-7]+/, 10: /^[0-9]+/, 16: /^[0-9a-f]+/i };

const strncmp = defineHelper({
  name: 'strncmp',
  id: 182,
  prototype: { args: ['mem', 'size', 'const-string'], returns: 'integer', programTypes: 'all' },
  run({ memory: { u8 } }, first, size, second) {
    for (let i = 0; i < size; i++) {
      const a = u8[first + i]!;
      const b = u8[second + i]!;
      if (a !== b) return a < b ? -1 : 1;
      if (a === 0) return 0;
    }
    return 0;
  },
});

const strtol = defineHelper({
  name: 'strtol',
  id: 105,
  prototype: { args: ['mem', 'size', 'u64', 'long-out'], returns: 'integer', programTypes: 'all' },
  run({ memory }, start, size, flags, result) {
    memory.view.setBigInt64(result, 0n, true);
    const number = parse(bytesToText(memory.u8.subarray(start, start + size)), flags);
    if (typeof number === 'number') return number;
    const { negative, magnitude, consumed } = number;
    if (magnitude > (negative ? MAX_S64 + 1n : MAX_S64)) return -ERRNO.ERANGE;
    memory.view.setBigInt64(result, negative ? -magnitude : magnitude, true);
    return consumed;
  },
});

const strtoul = defineHelper({
  name: 'strtoul',
  id: 106,
  prototype: { args: ['mem', 'size', 'u64', 'long-out'], returns: 'integer', programTypes: 'all' },
  run({ memory }, start, size, flags, result) {
    memory.view.setBigUint64(result, 0n, true);
    const number = parse(bytesToText(memory.u8.subarray(start, start + size)), flags);
    if (typeof number === 'number') return number;
    if (number.negative) return -ERRNO.EINVAL;
    memory.view.setBigUint64(result, number.magnitude, true);
    return number.consumed;
  },
});

interface Parsed {
  readonly negative: boolean;
  readonly magnitude: bigint;
  /** Characters from the start, white space and sign included. */
  readonly consumed: number;
}

/** `flags` is the base: 8, 10, 16, or 0 to go by the prefix (`0x`, `0`). */
function parse(text: string, flags: bigint): Parsed | number {
  if (flags !== 0n && flags !== 8n && flags !== 10n && flags !== 16n) return -ERRNO.EINVAL;
  const [before, sign] = NUMBER_START.exec(text)!;
  const rest = text.slice(before.length, before.length + MOST_DIGITS);
  const isHex = /^0x/i.test(rest);
  const base = flags !== 0n ? Number(flags) : /^0x[0-9a-f]/i.test(rest) ? 16 : rest.startsWith('0') ? 8 : 10;
  const prefix = base === 16 && isHex ? 2 : 0;
  const digits = DIGITS[base]!.exec(rest.slice(prefix))?.[0];
  if (digits === undefined) return -ERRNO.EINVAL;
  const magnitude = BigInt(PREFIXES[base]! + digits);
  if (magnitude > MAX_U64) return -ERRNO.ERANGE;
  return { negative: sign === '-', magnitude, consumed: before.length + prefix + digits.length };
}

/** How BigInt is told the base. */
const PREFIXES: Readonly<Record<number, string>> = { 8: '0o', 10: '', 16: '0x' };

export const stringHelpers: readonly Helper[] = [strncmp, strtol, strtoul];
