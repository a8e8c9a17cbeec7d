/** Sums of RFC 1071 over numbers of 32 and 16 bits, with both zeroes kept apart as they fall out. */
export function add32(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff_ffff ? sum - 0xffff_ffff : sum;
}

export function subtract32(a: number, b: number): number {
  return add32(a, ~b >>> 0);
}

/** To 16 bits, not inverted. */
export function fold16(sum: number): number {
  const folded = (sum & 0xffff) + (sum >>> 16);
  return (folded & 0xffff) + (folded >>> 16);
}

export function add16(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff ? sum - 0xffff : sum;
}

/** The field that a sum becomes in a header. */
export function checksumOf(sum: number): number {
  return ~fold16(sum) & 0xffff;
}
