/**
 * Where a scalar is worked on before it becomes an immutable value: a few fixed banks of memory, each with room for
 * one scalar, seen as 32- and 64-bit words, signed and unsigned at once. Comparing 64-bit bounds by their halves costs
 * a tenth of comparing BigInts, and the verifier does this some fifty times per instruction. Little-endian.
 */
import type { Tnum } from './tnum.ts';

/** Words (32 bits) of a bank. The first six things are 64-bit: low word first. */
export const VALUE = 0;
export const MASK = 2;
export const UMIN = 4;
export const UMAX = 6;
export const SMIN = 8;
export const SMAX = 10;
export const U32MIN = 12;
export const U32MAX = 13;
export const S32MIN = 14;
export const S32MAX = 15;
const WORDS = 16;

/** A bank is named by its first word. */
export type Bank = number;
export const A: Bank = 0;
export const B: Bank = WORDS;
/** For a constant in the making, or the halves of one BigInt. */
export const SPARE: Bank = 2 * WORDS;

const memory = new ArrayBuffer(3 * WORDS * 4);
export const u32 = new Uint32Array(memory);
export const s32 = new Int32Array(memory);
/** Indexed by word / 2; a BigInt stored here wraps to 64 bits. */
const u64 = new BigUint64Array(memory);
const s64 = new BigInt64Array(memory);

/** The 64-bit number at a word. */
export const unsigned = (word: number): bigint => u64[word >> 1]!;
export const signed = (word: number): bigint => s64[word >> 1]!;
export function put(word: number, number: bigint): void {
  u64[word >> 1] = number;
}

export const tnumAt = (bank: Bank): Tnum => ({ value: unsigned(bank + VALUE), mask: unsigned(bank + MASK) });
export function putTnum(bank: Bank, tnum: Tnum): void {
  put(bank + VALUE, tnum.value);
  put(bank + MASK, tnum.mask);
}

/** The 64-bit number of two halves. */
export function joinUnsigned(low: number, high: number): bigint {
  s32[SPARE] = low;
  s32[SPARE + 1] = high;
  return u64[SPARE >> 1]!;
}
export function joinSigned(low: number, high: number): bigint {
  s32[SPARE] = low;
  s32[SPARE + 1] = high;
  return s64[SPARE >> 1]!;
}

export function putHalves(word: number, low: number, high: number): void {
  s32[word] = low;
  s32[word + 1] = high;
}

/** Compares the 64-bit numbers at two words. */
export function below(a: number, b: number): boolean {
  const high = u32[a + 1]! - u32[b + 1]!;
  return high < 0 || (high === 0 && u32[a]! < u32[b]!);
}
export function belowSigned(a: number, b: number): boolean {
  const high = s32[a + 1]! - s32[b + 1]!;
  return high < 0 || (high === 0 && u32[a]! < u32[b]!);
}

/**
 * Bounds only ever move inwards. Each of these says whether it moved one, so that deduction can stop when a round
 * brings nothing.
 */
export function raise(word: number, low: number, high: number): boolean {
  const difference = u32[word + 1]! - (high >>> 0);
  if (difference > 0 || (difference === 0 && u32[word]! >= low >>> 0)) return false;
  putHalves(word, low, high);
  return true;
}
export function lower(word: number, low: number, high: number): boolean {
  const difference = u32[word + 1]! - (high >>> 0);
  if (difference < 0 || (difference === 0 && u32[word]! <= low >>> 0)) return false;
  putHalves(word, low, high);
  return true;
}
export function raiseSigned(word: number, low: number, high: number): boolean {
  const difference = s32[word + 1]! - (high | 0);
  if (difference > 0 || (difference === 0 && u32[word]! >= low >>> 0)) return false;
  putHalves(word, low, high);
  return true;
}
export function lowerSigned(word: number, low: number, high: number): boolean {
  const difference = s32[word + 1]! - (high | 0);
  if (difference < 0 || (difference === 0 && u32[word]! <= low >>> 0)) return false;
  putHalves(word, low, high);
  return true;
}
export function raise32(word: number, to: number): boolean {
  if (u32[word]! >= to >>> 0) return false;
  u32[word] = to;
  return true;
}
export function lower32(word: number, to: number): boolean {
  if (u32[word]! <= to >>> 0) return false;
  u32[word] = to;
  return true;
}
export function raiseSigned32(word: number, to: number): boolean {
  if (s32[word]! >= (to | 0)) return false;
  s32[word] = to;
  return true;
}
export function lowerSigned32(word: number, to: number): boolean {
  if (s32[word]! <= (to | 0)) return false;
  s32[word] = to;
  return true;
}

/** What a 64-bit sum or difference did: left the unsigned numbers, left the signed ones. */
export const CARRY = 1;
export const OVERFLOW = 2;

/** Adds the 64-bit number at `from` to that at `to`. */
export function addAt(to: number, from: number): number {
  const [a, b] = [s32[to + 1]!, s32[from + 1]!];
  const low = u32[to]! + u32[from]!;
  const high = u32[to + 1]! + u32[from + 1]! + (low > 0xffff_ffff ? 1 : 0);
  putHalves(to, low, high);
  return (high > 0xffff_ffff ? CARRY : 0) | ((~(a ^ b) & (a ^ high)) < 0 ? OVERFLOW : 0);
}

/** Subtracts the 64-bit number at `from` from that at `to`. */
export function subAt(to: number, from: number): number {
  const [a, b] = [s32[to + 1]!, s32[from + 1]!];
  const low = u32[to]! - u32[from]!;
  const high = u32[to + 1]! - u32[from + 1]! - (low < 0 ? 1 : 0);
  putHalves(to, low, high);
  return (high < 0 ? CARRY : 0) | (((a ^ b) & (a ^ high)) < 0 ? OVERFLOW : 0);
}

/** No bound of 64 bits holds anything back. */
export function unbound64Unsigned(bank: Bank): void {
  putHalves(bank + UMIN, 0, 0);
  putHalves(bank + UMAX, -1, -1);
}
export function unbound64Signed(bank: Bank): void {
  putHalves(bank + SMIN, 0, -0x8000_0000);
  putHalves(bank + SMAX, -1, 0x7fff_ffff);
}
export function unbound32Unsigned(bank: Bank): void {
  u32[bank + U32MIN] = 0;
  u32[bank + U32MAX] = 0xffff_ffff;
}
export function unbound32Signed(bank: Bank): void {
  s32[bank + S32MIN] = -0x8000_0000;
  s32[bank + S32MAX] = 0x7fff_ffff;
}
export function unbound64(bank: Bank): void {
  unbound64Unsigned(bank);
  unbound64Signed(bank);
}
export function unbound32(bank: Bank): void {
  unbound32Unsigned(bank);
  unbound32Signed(bank);
}

/** Leaves of a scalar what its bits say. */
export function unbound(bank: Bank): void {
  unbound64(bank);
  unbound32(bank);
}

/** Makes a bank hold anything. */
export function putUnknown(bank: Bank): void {
  putHalves(bank + VALUE, 0, 0);
  putHalves(bank + MASK, -1, -1);
  unbound(bank);
}

/** Makes a bank hold one number. */
export function putConstantHalves(bank: Bank, low: number, high: number): void {
  for (let word = VALUE; word <= SMAX; word += 2) putHalves(bank + word, low, high);
  putHalves(bank + MASK, 0, 0);
  for (let word = U32MIN; word <= S32MAX; word++) s32[bank + word] = low;
}
export function putConstant(bank: Bank, number: bigint): void {
  put(bank + VALUE, number);
  putConstantHalves(bank, s32[bank + VALUE]!, s32[bank + VALUE + 1]!);
}
