/** RFC 9669, section 4.1: the low 8, 16 or 32 bits as a signed number. */
export function signExtended(value: number, bits: number): number {
  return (value << (32 - bits)) >> (32 - bits);
}

/** Section 4.2, on the register whose low half lies at `low`: what is beyond the width becomes zero. */
export function cut(w: Uint32Array, low: number, bits: number): void {
  if (bits === 16) w[low] = w[low]! & 0xffff;
  if (bits !== 64) w[low + 1] = 0;
}

/** Section 4.2: the other byte order. */
export function swap(w: Uint32Array, low: number, bits: number): void {
  const [below, above] = [w[low]!, w[low + 1]!];
  w[low] = bits === 64 ? swap32(above) : bits === 32 ? swap32(below) : swap16(below);
  w[low + 1] = bits === 64 ? swap32(below) : 0;
}

const swap16 = (x: number) => ((x & 0xff) << 8) | ((x >>> 8) & 0xff);
const swap32 = (x: number) => (swap16(x) << 16) | swap16(x >>> 16);
