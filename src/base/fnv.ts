/**
 * FNV-1a, 64 bits (RFC 9923), as 16 hex digits. The product with the prime 2^40 + 0x1b3 is taken on 32-bit halves:
 * BigInt would cost ten times as much per byte.
 */
export function fnv1a64(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (let i = start; i < end; i++) {
    low = (low ^ bytes[i]!) >>> 0;
    const product = low * 0x1b3; // below 2^41: exact
    high = (Math.imul(high, 0x1b3) + (low << 8) + Math.floor(product / 0x1_0000_0000)) >>> 0;
    low = product >>> 0;
  }
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}
