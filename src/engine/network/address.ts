import type { Family } from '../../abi/interfaces.ts';

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Prefix extends Address {
  readonly length: number;
}

export const BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

const OCTET = /^(25[0-5]|2[0-4]\d|1?\d?\d)$/;
const WORD = /^[0-9a-f]{1,4}$/i;

/** Reads an address as RFC 4291 (2.2) and dotted decimals write it; undefined of anything else. */
export function readAddress(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = ipv4(text);
    return value === undefined ? undefined : { family: 4, value };
  }
  const value = ipv6(text);
  return value === undefined ? undefined : { family: 6, value };
}

/** `10.0.0.0/8`; without a length it is one address. */
export function readPrefix(text: string): Prefix | undefined {
  const [front, bits, more] = text.split('/');
  const address = readAddress(front!);
  if (address === undefined || more !== undefined) return undefined;
  const most = BITS[address.family];
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : most + 1;
  return length > most ? undefined : { ...address, length };
}

/** The first `length` bits of an address, as a number of so many bits. */
export function leading(value: bigint, family: Family, length: number): bigint {
  return value >> BigInt(BITS[family] - length);
}

export function covers(prefix: Prefix, value: bigint): boolean {
  const { family, length } = prefix;
  return leading(prefix.value, family, length) === leading(value, family, length);
}

function ipv4(text: string): bigint | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => OCTET.test(octet))) return undefined;
  return octets.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function ipv6(text: string): bigint | undefined {
  const last = text.slice(text.lastIndexOf(':') + 1);
  if (last.includes('.')) {
    const value = ipv4(last);
    if (value === undefined) return undefined;
    const words = `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`;
    return ipv6(text.slice(0, -last.length) + words);
  }
  const [front, back, more] = text.split('::');
  const wordsOf = (part = '') => (part === '' ? [] : part.split(':'));
  const words = [wordsOf(front), wordsOf(back)] as const;
  const missing = 8 - words[0].length - words[1].length;
  if (more !== undefined || (back === undefined ? missing !== 0 : missing < 1)) return undefined;
  const all = [...words[0], ...Array<string>(missing).fill('0'), ...words[1]];
  return all.every((word) => WORD.test(word))
    ? all.reduce((value, word) => (value << 16n) | BigInt(`0x${word}`), 0n)
    : undefined;
}
