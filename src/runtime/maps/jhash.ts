import type { Memory } from '../../abi/memory.ts';

/**
 * Bob Jenkins' lookup3 (public domain, burtleburtle.net/bob/c/lookup3.c: hashlittle), the hash that orders the buckets
 * of Linux's hash maps. A u32 of `size` bytes at `address`; linear memory is little-endian on every machine.
 */
export function jhash({ u8, view }: Memory, address: number, size: number, seed: number): number {
  let a = (0xdeadbeef + size + seed) | 0;
  let b = a;
  let c = a;
  let rest = size;
  let at = address;
  while (rest > 12) {
    a = (a + view.getInt32(at, true)) | 0;
    b = (b + view.getInt32(at + 4, true)) | 0;
    c = (c + view.getInt32(at + 8, true)) | 0;
    a = (a - c) ^ ((c << 4) | (c >>> 28));
    c = (c + b) | 0;
    b = (b - a) ^ ((a << 6) | (a >>> 26));
    a = (a + c) | 0;
    c = (c - b) ^ ((b << 8) | (b >>> 24));
    b = (b + a) | 0;
    a = (a - c) ^ ((c << 16) | (c >>> 16));
    c = (c + b) | 0;
    b = (b - a) ^ ((a << 19) | (a >>> 13));
    a = (a + c) | 0;
    c = (c - b) ^ ((b << 4) | (b >>> 28));
    b = (b + a) | 0;
    rest -= 12;
    at += 12;
  }
  if (rest === 0) return c >>> 0;
  if (rest >= 4) a = (a + view.getInt32(at, true)) | 0;
  else a = (a + tail(u8, at, rest)) | 0;
  if (rest >= 8) b = (b + view.getInt32(at + 4, true)) | 0;
  else if (rest > 4) b = (b + tail(u8, at + 4, rest - 4)) | 0;
  if (rest === 12) c = (c + view.getInt32(at + 8, true)) | 0;
  else if (rest > 8) c = (c + tail(u8, at + 8, rest - 8)) | 0;
  c = (c ^ b) - ((b << 14) | (b >>> 18));
  a = (a ^ c) - ((c << 11) | (c >>> 21));
  b = (b ^ a) - ((a << 25) | (a >>> 7));
  c = (c ^ b) - ((b << 16) | (b >>> 16));
  a = (a ^ c) - ((c << 4) | (c >>> 28));
  b = (b ^ a) - ((a << 14) | (a >>> 18));
  c = (c ^ b) - ((b << 24) | (b >>> 8));
  return c >>> 0;
}

/** 1 to 3 bytes, little-endian. */
function tail(u8: Uint8Array, at: number, size: number): number {
  let word = u8[at]!;
  if (size > 1) word |= u8[at + 1]! << 8;
  if (size > 2) word |= u8[at + 2]! << 16;
  return word;
}
