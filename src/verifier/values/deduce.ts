/**
 * What the views of one number (known bits; bounds of 64 and 32 bits, unsigned and signed) say about each other.
 * Linux stops after three rounds; a fourth would at times know more, and so decide differently.
 */
import { tnumOnlyBetween } from './tnum.ts';
import {
  type Bank,
  below,
  belowSigned,
  lower,
  lower32,
  lowerSigned,
  lowerSigned32,
  MASK,
  putConstant,
  putHalves,
  raise,
  raise32,
  raiseSigned,
  raiseSigned32,
  S32MAX,
  S32MIN,
  SMAX,
  SMIN,
  s32,
  tnumAt,
  U32MAX,
  U32MIN,
  UMAX,
  UMIN,
  u32,
  unsigned,
  VALUE,
} from './workbench.ts';

const ROUNDS = 3;
const SIGN = -0x8000_0000;
const NOT_SIGN = 0x7fff_ffff;

/** Brings the views in a bank into agreement, as far as Linux does. */
export function deduce(bank: Bank): void {
  boundsFromBits(bank);
  for (let round = 0; round < ROUNDS; round++) {
    let moved = lowFromWide(bank, bank + UMIN);
    moved = lowFromWide(bank, bank + SMIN) || moved;
    moved = signs32(bank) || moved;
    moved = signs64(bank) || moved;
    moved = wideFromLow(bank) || moved;
    if (!moved) break;
  }
  bitsFromBounds(bank);
  boundsFromBits(bank);
}

/** Unknown bits all 0 are the least, all 1 the greatest number; of a signed number, the sign the other way round. */
function boundsFromBits(bank: Bank): void {
  const low = s32[bank + VALUE]!;
  const high = s32[bank + VALUE + 1]!;
  const maskLow = s32[bank + MASK]!;
  const maskHigh = s32[bank + MASK + 1]!;
  raise32(bank + U32MIN, low);
  lower32(bank + U32MAX, low | maskLow);
  raiseSigned32(bank + S32MIN, low | (maskLow & SIGN));
  lowerSigned32(bank + S32MAX, low | (maskLow & NOT_SIGN));
  raise(bank + UMIN, low, high);
  lower(bank + UMAX, low | maskLow, high | maskHigh);
  raiseSigned(bank + SMIN, low, high | (maskHigh & SIGN));
  lowerSigned(bank + SMAX, low | maskLow, high | (maskHigh & NOT_SIGN));
  onlyMember(bank, low, high, maskLow, maskHigh);
}

/** Where the bits leave one number between the unsigned bounds, that is the number. */
function onlyMember(bank: Bank, low: number, high: number, maskLow: number, maskHigh: number): void {
  if (below(bank + UMIN, bank + UMAX)) {
    // Two quick answers of "several": the unknown bits are neighbours, so that the numbers are evenly apart and two of
    // them fit between the bounds; or both bounds have the bits.
    if (maskHigh === 0) {
      const apart = (maskLow & -maskLow) >>> 0;
      const areNeighbours = (((maskLow >>> 0) + apart) & maskLow) === 0;
      if (areNeighbours && u32[bank + UMAX]! - u32[bank + UMIN]! >= 2 * apart - 1) return;
    } else if (maskLow === -1 && (maskHigh & (maskHigh + 1)) === 0) return;
    const hasBits = (word: number): boolean => (s32[word]! & ~maskLow) === low && (s32[word + 1]! & ~maskHigh) === high;
    if (hasBits(bank + UMIN) && hasBits(bank + UMAX)) return;
  }
  const only = tnumOnlyBetween(tnumAt(bank), unsigned(bank + UMIN), unsigned(bank + UMAX));
  if (only !== null) putConstant(bank, only);
}

/**
 * Fewer than 2^32 numbers in a row are, in their low words, an arc of the circle of 32-bit numbers: a range of
 * unsigned numbers if it does not pass 0, of signed ones if it does not pass 2^31.
 */
function lowFromWide(bank: Bank, range: number): boolean {
  const first = u32[range]!;
  const last = u32[range + 2]!;
  const turns = (s32[range + 3]! - s32[range + 1]!) | 0;
  if (turns !== 0 && !(turns === 1 && last < first)) return false;
  let moved = false;
  if (turns === 0) {
    moved = raise32(bank + U32MIN, first);
    moved = lower32(bank + U32MAX, last) || moved;
  }
  if ((first | 0) <= (last | 0)) {
    moved = raiseSigned32(bank + S32MIN, first) || moved;
    moved = lowerSigned32(bank + S32MAX, last) || moved;
  }
  return moved;
}

/**
 * A range within one sign is the same range in the other view. A signed range that spans both signs is two unsigned
 * ones, 0 … smax and smin … 2^32 − 1; when the unsigned range meets only one of them, the sign is known.
 */
function signs32(bank: Bank): boolean {
  const umin = bank + U32MIN;
  const umax = bank + U32MAX;
  const smin = bank + S32MIN;
  const smax = bank + S32MAX;
  let moved = false;
  if (s32[umin]! <= s32[umax]!) {
    moved = raiseSigned32(smin, s32[umin]!);
    moved = lowerSigned32(smax, s32[umax]!) || moved;
  }
  if (u32[smin]! <= u32[smax]!) {
    moved = raise32(umin, s32[smin]!) || moved;
    moved = lower32(umax, s32[smax]!) || moved;
  } else if (u32[umax]! < u32[smin]!) {
    s32[smin] = s32[umin]!;
    lower32(umax, s32[smax]!);
    moved = true;
  } else if (u32[smax]! < u32[umin]!) {
    s32[smax] = s32[umax]!;
    raise32(umin, s32[smin]!);
    moved = true;
  }
  return moved;
}

/** As of 32 bits. */
function signs64(bank: Bank): boolean {
  const umin = bank + UMIN;
  const umax = bank + UMAX;
  const smin = bank + SMIN;
  const smax = bank + SMAX;
  let moved = false;
  if (!belowSigned(umax, umin)) {
    moved = raiseSigned(smin, s32[umin]!, s32[umin + 1]!);
    moved = lowerSigned(smax, s32[umax]!, s32[umax + 1]!) || moved;
  }
  if (!below(smax, smin)) {
    moved = raise(umin, s32[smin]!, s32[smin + 1]!) || moved;
    moved = lower(umax, s32[smax]!, s32[smax + 1]!) || moved;
  } else if (below(umax, smin)) {
    putHalves(smin, s32[umin]!, s32[umin + 1]!);
    lower(umax, s32[smax]!, s32[smax + 1]!);
    moved = true;
  } else if (below(smax, umin)) {
    putHalves(smax, s32[umax]!, s32[umax + 1]!);
    raise(umin, s32[smin]!, s32[smin + 1]!);
    moved = true;
  }
  return moved;
}

/**
 * The low word of each 64-bit bound can be no further out than the bounds of 32 bits. And when the number is that of
 * its low word sign-extended, and this is not negative, the bounds of the word are those of the number: Linux takes
 * them over even from a better one.
 */
function wideFromLow(bank: Bank): boolean {
  const first = s32[bank + U32MIN]!;
  const last = s32[bank + U32MAX]!;
  let moved = raise(bank + UMIN, first, s32[bank + UMIN + 1]!);
  moved = lower(bank + UMAX, last, s32[bank + UMAX + 1]!) || moved;
  moved = raiseSigned(bank + SMIN, first, s32[bank + SMIN + 1]!) || moved;
  moved = lowerSigned(bank + SMAX, last, s32[bank + SMAX + 1]!) || moved;
  const least = s32[bank + S32MIN]!;
  if (least >= 0 && isSignExtended(bank + SMIN) && isSignExtended(bank + SMAX)) {
    const most = s32[bank + S32MAX]!;
    moved = change(bank + UMIN, least) || moved;
    moved = change(bank + UMAX, most) || moved;
    moved = change(bank + SMIN, least) || moved;
    moved = change(bank + SMAX, most) || moved;
  }
  return moved;
}

const isSignExtended = (word: number): boolean => s32[word]! >> 31 === s32[word + 1]!;

/** Sets a 64-bit bound to a number that is not negative. */
function change(word: number, low: number): boolean {
  if (s32[word] === low && s32[word + 1] === 0) return false;
  putHalves(word, low, 0);
  return true;
}

/** The leading bits that both ends of an unsigned range share are known. */
function bitsFromBounds(bank: Bank): void {
  const high = s32[bank + UMIN + 1]!;
  const low = s32[bank + UMIN]!;
  const spreadHigh = fill(high ^ s32[bank + UMAX + 1]!);
  const spreadLow = spreadHigh === 0 ? fill(low ^ s32[bank + UMAX]!) : -1;
  learn(bank, 1, high, spreadHigh);
  learn(bank, 0, low, spreadLow);
  const first = s32[bank + U32MIN]!;
  learn(bank, 0, first, fill(first ^ s32[bank + U32MAX]!));
}

/** Ones from the highest 1 downwards. */
const fill = (word: number): number => (word === 0 ? 0 : -1 >>> Math.clz32(word)) | 0;

/** Takes over the bits of `bits` that are not in `unknown`, in the low (0) or high (1) word. */
function learn(bank: Bank, half: 0 | 1, bits: number, unknown: number): void {
  const mask = s32[bank + MASK + half]! & unknown;
  s32[bank + VALUE + half] = (s32[bank + VALUE + half]! | (bits & ~unknown)) & ~mask;
  s32[bank + MASK + half] = mask;
}
