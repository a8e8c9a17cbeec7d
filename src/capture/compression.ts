import { closeSync, openSync, readSync } from 'node:fs';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress, type ZlibOptions, type ZstdOptions } from 'node:zlib';

/** A way in which captures are compressed. */
export interface Compression {
  readonly name: 'gzip' | 'zstd';
  /** First bytes (RFC 1952, section 2.3.1; RFC 8878, section 3.1.1). */
  readonly magic: readonly number[];
  readonly create: (options: ZlibOptions & ZstdOptions) => Transform;
}

export const GZIP: Compression = { name: 'gzip', magic: [0x1f, 0x8b], create: createGunzip };
export const ZSTD: Compression = { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], create: createZstdDecompress };
const LONGEST_MAGIC = 4;

export type Bytes = AsyncIterable<Uint8Array>;

/** Compressed bytes that are cut or damaged. What came before is good, but for the last bytes before the damage. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError';
}

/** How the bytes are compressed that begin so; undefined where they are not. */
function compressionOf(head: Uint8Array): Compression | undefined {
  return [GZIP, ZSTD].find(({ magic }) => magic.every((byte, i) => head[i] === byte));
}

/** How a file is compressed, by its first bytes. Throws the file system's error. */
export function compressionOfFile(path: string): Compression | undefined {
  const head = new Uint8Array(LONGEST_MAGIC);
  const file = openSync(path, 'r');
  try {
    return compressionOf(head.subarray(0, readSync(file, head)));
  } finally {
    closeSync(file);
  }
}

/** The bytes as they were before they were compressed, where their beginning says that they are. */
export async function* plainBytes(bytes: Bytes): Bytes {
  const { head, all } = await peek(bytes);
  const compression = compressionOf(head);
  yield* compression === undefined ? all : decompress(all, compression);
}

/** Compressed bytes that are handed over at a time: what comes out of the piece that is damaged is lost. */
const PIECE = 16 * 1024;
/**
 * Bytes that come out at a time; there is never more, however small the piece was. Nothing goes in before what came out
 * is taken: what lies ready would be thrown away where the next bytes turn out to be damaged.
 */
const STEPS = { chunkSize: 64 * 1024, writableHighWaterMark: 1, readableHighWaterMark: 1 } as const;

/** Throws `CompressionError`, or what the source throws. */
export async function* decompress(bytes: Bytes, { name, create }: Compression): Bytes {
  try {
    // Errors come out of the last stream, and so does the end.
    yield* pipeline(Readable.from(pieces(bytes)), create(STEPS), () => {}) as Transform;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!/^(Z_|ZSTD_|ERR_ZLIB)/.test(code)) throw error;
    throw new CompressionError(`the ${name} stream cannot be read any further (${message})`, { cause: error });
  }
}

async function* pieces(bytes: Bytes): Bytes {
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += PIECE) yield chunk.subarray(at, at + PIECE);
  }
}

/** The first bytes, and all of them. */
async function peek(bytes: Bytes): Promise<{ readonly head: Uint8Array; readonly all: Bytes }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  for (let size = 0; size < LONGEST_MAGIC; ) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    seen.push(value);
    size += value.length;
  }
  const all = async function* () {
    try {
      yield* seen;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } finally {
      await iterator.return?.();
    }
  };
  return { head: Buffer.concat(seen).subarray(0, LONGEST_MAGIC), all: all() };
}
