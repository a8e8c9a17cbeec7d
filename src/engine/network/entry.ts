import { OptionError } from '../../base/errors.ts';
import { type Address, type Prefix, readAddress, readPrefix } from './address.ts';

/** One JSON object of a network's description, and where it stands there: what is read is checked, what is wrong is told. */
export class Entry {
  readonly where: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new OptionError('bad-network', `network: ${where} is to be an object, as ip -j prints it`);
    }
    this.where = where;
    this.#fields = value as Record<string, unknown>;
  }

  get names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  fail(name: string, problem: string): never {
    throw new OptionError('bad-network', `network: ${this.where}.${name} ${problem}`);
  }

  /** Text, or a number as text: iproute2 prints names or numbers, as it is asked. */
  text(name: string): string | undefined {
    const value = this.#fields[name];
    if (value === undefined || typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    return this.fail(name, 'is to be text');
  }

  flag(name: string): boolean | undefined {
    const value = this.#fields[name];
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(name, 'is to be true or false');
  }

  /** A whole number from 0, decimal or `0x10`, not above `most`. */
  number(name: string, most = 0xffff_ffff): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = /^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) ? Number(text) : -1;
    if (value < 0 || value > most) this.fail(name, `is to be a whole number from 0 to ${most}, not ${text}`);
    return value;
  }

  /** The number, or what the table says of the name. */
  named<T>(name: string, table: Readonly<Record<string, T>>): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (Object.hasOwn(table, text)) return table[text];
    return this.fail(name, `is ${text}; known are ${Object.keys(table).filter(isName).join(', ')}`);
  }

  need<T>(name: string, value: T | undefined): T {
    return value === undefined ? this.fail(name, 'is missing') : value;
  }

  strings(name: string): readonly string[] {
    const value = this.#fields[name] ?? [];
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    return this.fail(name, 'is to be a list of words');
  }

  entries(name: string): readonly Entry[] {
    return entriesOf(this.#fields[name], `${this.where}.${name}`);
  }

  entry(name: string): Entry | undefined {
    return this.has(name) ? new Entry(this.#fields[name], `${this.where}.${name}`) : undefined;
  }

  address(name: string): Address | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return readAddress(text) ?? this.fail(name, `is to be an IPv4 or IPv6 address, not ${text}`);
  }

  prefix(name: string): Prefix | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    return readPrefix(text) ?? this.fail(name, `is to be a prefix such as 10.0.0.0/8, not ${text}`);
  }

  /** Six bytes; those of a link layer with other addresses are zeroes, as far as they are cut. */
  hardwareAddress(name: string): Uint8Array {
    const text = this.text(name) ?? '';
    const isHex = /^[0-9a-f]{2}(:[0-9a-f]{2}){5,}$/i.test(text);
    return isHex ? Uint8Array.fromHex(text.replaceAll(':', '')).slice(0, 6) : new Uint8Array(6);
  }
}

const isName = (text: string) => !/^\d/.test(text);

/** A list of objects; absent is empty. iproute2 prints `{}` for what a filter left out. */
export function entriesOf(value: unknown, where: string): readonly Entry[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    throw new OptionError('bad-network', `network: ${where} is to be a list, as ip -j prints it`);
  }
  return value.map((each, index) => new Entry(each, `${where}[${index}]`)).filter(({ names }) => names.length > 0);
}
