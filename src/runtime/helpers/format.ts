import { ERRNO } from '../../abi/errno.ts';
import type { Memory } from '../../abi/memory.ts';

/**
 * The formats of bpf_trace_printk, bpf_trace_vprintk and bpf_snprintf, as bpf-helpers(7) lists them and Linux answers:
 * `%d %i %u %x %X` (with `l` or `ll`), `%c %s %p %px %pK %ps %pS %pB %pks %pus %pi4 %pI4 %pi6 %pI6`, flags `-+ 0` and a
 * width. Text is kept with one character a byte.
 *
 * A plain `%p` is a hash in Linux, with a secret of the boot; here it is the address itself. `%ps`, `%pS` and `%pB`
 * print an address that has no symbol, as here none has.
 */

/** Linux copies arguments into a buffer of this size before it prints. */
const BINARY_BYTES = 512;
/** Linux reads wider fields as this wide. */
const WIDEST = 2 ** 23 - 1;
/** Nothing lies below: no string starts there. */
const FIRST_ADDRESS = 65536;

export interface Arguments {
  readonly count: number;
  at(index: number): bigint;
}

interface Field {
  readonly flags: string;
  /** −1 where none is given. */
  readonly width: number;
}

/** What was printed into a buffer of `size` bytes, its NUL included: what fits, and how many bytes there are in all. */
export class Printed {
  text = '';
  length = 0;
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get isFull(): boolean {
    return this.length >= this.#size;
  }

  add(text: string, times = 1): void {
    const missing = this.#size - 1 - this.length;
    if (missing > 0) this.text += text.length === 1 ? text.repeat(Math.min(times, missing)) : text.slice(0, missing);
    this.length += text.length * times;
  }

  /** Text widened by spaces to the width of its field. */
  padded(text: string, { flags, width }: Field): void {
    const spaces = Math.max(0, width - text.length);
    const left = flags.includes('-');
    if (!left) this.add(' ', spaces);
    this.add(text);
    if (left) this.add(' ', spaces);
  }

  /** A number; zeroes stand between its sign and its digits. */
  number(sign: string, digits: string, field: Field): void {
    const zeroes = field.flags.includes('0') && !field.flags.includes('-');
    const missing = zeroes ? Math.max(0, field.width - sign.length - digits.length) : 0;
    if (missing === 0) {
      this.padded(sign + digits, field);
    } else {
      this.add(sign);
      this.add('0', missing);
      this.add(digits);
    }
  }
}

/** Prints the string of `size` bytes at `format`, its NUL included. Gives 0, or a negated errno and then no more text. */
export function print(memory: Memory, format: number, size: number, args: Arguments, printed: Printed): number {
  const end = memory.u8.subarray(format, format + size).indexOf(0);
  if (end < 0) return -ERRNO.EINVAL;
  return new Printing(memory, bytesToText(memory.u8.subarray(format, format + end)), args, printed).run();
}

export function bytesToText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Bytes of a text that has one character for each. */
export function textToBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const DIRECTIVE = /%%|%([-+ 0]*)([1-9][0-9]*)?(?:(p)([iI][46]|[ku]s|[KxsSB])?|([sc])|(l{0,2})([diuxX]))/y;
/** Letters, digits and control characters of ISO 8859-1: what may not follow %s and a bare %p. */
const JOINED = /[0-9A-Za-z\x80-\x9f\xc0-\xd6\xd8-\xf6\xf8-\xff]/y;
const ALPHANUMERIC = /[0-9A-Za-z\xc0-\xd6\xd8-\xf6\xf8-\xff]*/y;
const LITERAL = /[\t-\r -$&-~\x80-\xff]+/y;

class Printing {
  readonly #memory: Memory;
  readonly #format: string;
  readonly #args: Arguments;
  readonly #printed: Printed;
  #at = 0;
  #used = 0;
  #binary = 0;

  constructor(memory: Memory, format: string, args: Arguments, printed: Printed) {
    this.#memory = memory;
    this.#format = format;
    this.#args = args;
    this.#printed = printed;
  }

  run(): number {
    while (this.#at < this.#format.length) {
      const literal = this.#match(LITERAL);
      if (literal !== null) {
        this.#printed.add(literal[0]);
        continue;
      }
      const directive = this.#match(DIRECTIVE);
      if (directive === null) return -ERRNO.EINVAL;
      const error = this.#directive(directive);
      if (error !== 0) return error;
    }
    return 0;
  }

  #directive([whole, flags = '', width, pointer, kind, plain, long = '', conversion]: RegExpExecArray): number {
    if (whole === '%%') {
      this.#printed.add('%');
      return 0;
    }
    if (this.#used >= this.#args.count) return -ERRNO.EINVAL;
    const value = this.#args.at(this.#used++);
    const field = { flags, width: width === undefined ? -1 : Math.min(Number(width), WIDEST) };
    if (pointer !== undefined) return this.#pointer(kind, value, field);
    if (plain === 's') return this.#delimited() ? this.#string(value, field) : -ERRNO.EINVAL;
    if (plain === 'c') return this.#character(value, field);
    return this.#integer(conversion!, long === '' ? 4 : 8, value, field);
  }

  #character(value: bigint, field: Field): number {
    if (!this.#take(1)) return -ERRNO.ENOSPC;
    this.#printed.padded(String.fromCharCode(Number(value & 0xffn)), field);
    return 0;
  }

  #integer(conversion: string, size: 4 | 8, raw: bigint, field: Field): number {
    if (!this.#take(size, 4)) return -ERRNO.ENOSPC;
    if (conversion === 'd' || conversion === 'i') {
      const value = BigInt.asIntN(size * 8, raw);
      const positive = field.flags.includes('+') ? '+' : field.flags.includes(' ') ? ' ' : '';
      this.#printed.number(value < 0n ? '-' : positive, String(value < 0n ? -value : value), field);
    } else {
      const digits = BigInt.asUintN(size * 8, raw).toString(conversion === 'u' ? 10 : 16);
      this.#printed.number('', conversion === 'X' ? digits.toUpperCase() : digits, field);
    }
    return 0;
  }

  #pointer(kind: string | undefined, value: bigint, field: Field): number {
    const error = this.#pointed(kind, value, field);
    // Linux's printing skips all letters and digits behind a pointer.
    this.#match(ALPHANUMERIC);
    return error;
  }

  #pointed(kind: string | undefined, value: bigint, field: Field): number {
    switch (kind) {
      case undefined:
        return this.#delimited() ? this.#address(value, field) : -ERRNO.EINVAL;
      case 'K':
      case 'x':
        return this.#address(value, field);
      case 's':
      case 'S':
        return this.#symbol(value, field);
      case 'B':
        return this.#copied(`0x${value.toString(16)}`);
      case 'ks':
        return this.#delimited() ? this.#copied(this.#stringAt(value)) : -ERRNO.EINVAL;
      case 'us':
        // No address here is user space's: such a string cannot be read.
        return this.#delimited() ? this.#copied('') : -ERRNO.EINVAL;
      default:
        return this.#internetAddress(kind, value);
    }
  }

  #symbol(value: bigint, field: Field): number {
    if (!this.#take(8, 4)) return -ERRNO.ENOSPC;
    this.#printed.padded(`0x${value.toString(16)}`, field);
    return 0;
  }

  #address(value: bigint, { flags, width }: Field): number {
    if (!this.#take(8, 4)) return -ERRNO.ENOSPC;
    const field = width < 0 ? { flags: `${flags}0`, width: 16 } : { flags, width };
    this.#printed.number('', value.toString(16), field);
    return 0;
  }

  #internetAddress(kind: string, value: bigint): number {
    const bytes = kind[1] === '4' ? 4 : 16;
    if (this.#binary + bytes > BINARY_BYTES) return -ERRNO.ENOSPC;
    const address = this.#reachable(value, bytes);
    const octets = address < 0 ? new Uint8Array(bytes) : this.#memory.u8.subarray(address, address + bytes);
    if (bytes === 4) {
      return this.#copied([...octets].map((octet) => String(octet).padStart(kind === 'i4' ? 3 : 1, '0')).join('.'));
    }
    const groups = octets.toHex().match(/.{4}/g)!;
    return this.#copied(groups.join(kind === 'I6' ? ':' : ''));
  }

  /** Text that Linux makes while it copies the arguments; a width does not reach it. */
  #copied(text: string): number {
    const room = BINARY_BYTES - this.#binary;
    if (room < 1) return -ERRNO.ENOSPC;
    this.#take(Math.min(room, text.length + 1));
    // Behind the buffer's end Linux counts such text no more, unlike all other.
    if (!this.#printed.isFull) this.#printed.add(text.slice(0, room - 1));
    return 0;
  }

  #string(value: bigint, field: Field): number {
    if (this.#binary >= BINARY_BYTES) return -ERRNO.ENOSPC;
    const text = this.#stringAt(value);
    this.#take(text.length + 1);
    this.#printed.padded(text, field);
    return 0;
  }

  /** As much of a string as the buffer takes; one that cannot be read is empty. */
  #stringAt(value: bigint): string {
    const start = this.#reachable(value, 1);
    const room = Math.max(0, BINARY_BYTES - this.#binary - 1);
    const bytes = start < 0 ? new Uint8Array(0) : this.#memory.u8.subarray(start, start + room);
    const nul = bytes.indexOf(0);
    return bytesToText(nul < 0 ? bytes : bytes.subarray(0, nul));
  }

  /** The address as a number, −1 where it is none. */
  #reachable(value: bigint, size: number): number {
    return value >= FIRST_ADDRESS && value + BigInt(size) <= this.#memory.u8.length ? Number(value) : -1;
  }

  #take(bytes: number, alignment = 1): boolean {
    this.#binary = Math.ceil(this.#binary / alignment) * alignment + bytes;
    return this.#binary <= BINARY_BYTES;
  }

  #delimited(): boolean {
    JOINED.lastIndex = this.#at;
    return !JOINED.test(this.#format);
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#format);
    if (found !== null) this.#at = expression.lastIndex;
    return found;
  }
}
