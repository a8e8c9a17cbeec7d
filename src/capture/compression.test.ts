import { setTimeout } from 'node:timers/promises';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../base/random.ts';
import { CompressionError, plainBytes } from './compression.ts';

const zstd = (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

/** 400 kB that compress to about a third. */
const random = seededRandom(1);
const noise = () => Uint8Array.from({ length: 3000 }, () => random.below(256));
const TEXT = Buffer.concat(Array.from({ length: 40 }, (_, i) => [noise(), Buffer.alloc(7000, i)]).flat());

/** What comes out, taken by and by, and what it ended with. */
async function taken(compressed: Uint8Array, chunk = compressed.length) {
  const source = (async function* () {
    for (let at = 0; at < compressed.length; at += chunk) yield compressed.subarray(at, at + chunk);
  })();
  const pieces: Uint8Array[] = [];
  let error: unknown;
  try {
    for await (const piece of plainBytes(source)) {
      pieces.push(piece);
      await setTimeout(1);
    }
  } catch (thrown) {
    error = thrown;
  }
  return { bytes: Buffer.concat(pieces), error };
}

it.each([0, 1, 3, 500])('bytes that are not compressed come as they are: %i of them', async (size) => {
  expect(await taken(TEXT.subarray(0, size), 2)).toEqual({ bytes: TEXT.subarray(0, size), error: undefined });
});

describe.each([
  ['gzip', gzipSync],
  ['zstd', zstd],
])('%s', (name, compress) => {
  it.each([1, 1000, 1e6])('comes out whole, from chunks of %i bytes', async (chunk) => {
    const text = chunk === 1 ? TEXT.subarray(0, 200) : TEXT;
    const { bytes, error } = await taken(compress(text), chunk);
    expect(error).toBeUndefined();
    expect(bytes.equals(text)).toBe(true);
  });

  it('comes out whole of several streams in a row', async () => {
    const both = Buffer.concat([compress(TEXT), compress(TEXT)]);
    expect((await taken(both)).bytes.equals(Buffer.concat([TEXT, TEXT]))).toBe(true);
  });

  it('that is cut gives all that was there, and says so', async () => {
    const { bytes, error } = await taken(compress(TEXT).subarray(0, -1));
    expect(bytes.equals(TEXT)).toBe(true);
    expect(error).toBeInstanceOf(CompressionError);
    expect(String(error)).toContain(`the ${name} stream cannot be read any further (unexpected end of file)`);
    const half = await taken(compress(TEXT).subarray(0, 60_000));
    expect(half.bytes.length).toBeGreaterThan(100_000);
    expect(half.bytes.equals(TEXT.subarray(0, half.bytes.length))).toBe(true);
  });

  it('that is damaged gives what came before, but for the last 64 KiB', async () => {
    const compressed = compress(TEXT);
    const whole = compressed.length;
    compressed.fill(0xff, whole - 2000, whole - 1900);
    const { bytes, error } = await taken(compressed);
    expect(error).toBeInstanceOf(CompressionError);
    expect(bytes.length).toBeGreaterThan(TEXT.length - 2 * 64 * 1024);
    const same = bytes.findIndex((byte, i) => byte !== TEXT[i]);
    expect(same === -1 || same > TEXT.length - 64 * 1024).toBe(true);
  });

  it('that is a bomb goes off a little at a time', async () => {
    const bomb = compress(Buffer.alloc(64 * 2 ** 20));
    let read = 0;
    const source = (async function* () {
      for (; read < 1000; read++) yield bomb;
    })();
    let size = 0;
    for await (const piece of plainBytes(source)) {
      size += piece.length;
      expect(piece.length).toBeLessThanOrEqual(64 * 1024);
      await setTimeout(1);
      if (size > 2 * 2 ** 20) break;
    }
    expect(read).toBeLessThan(10);
  });

  it('leaves the errors of its source as they are', async () => {
    const source = (async function* () {
      yield compress(TEXT).subarray(0, 1000);
      throw new Error('gone');
    })();
    await expect(Array.fromAsync(plainBytes(source))).rejects.toThrow(/^gone$/);
  });
});
