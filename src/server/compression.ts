import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Problem } from './problems.ts';

interface Format {
  /** First bytes (RFC 1952, section 2.3.1; RFC 8878, section 3.1.1). */
  readonly magic: readonly number[];
  readonly create: () => Transform;
}

const GZIP: Format = { magic: [0x1f, 0x8b], create: createGunzip };
const ZSTD: Format = { magic: [0x28, 0xb5, 0x2f, 0xfd], create: createZstdDecompress };
/** By the name that `content-encoding` has for it (RFC 9110, section 8.4.1). */
const FORMATS: Readonly<Record<string, Format>> = { gzip: GZIP, 'x-gzip': GZIP, zstd: ZSTD };
const LONGEST_MAGIC = 4;

type Bytes = AsyncIterable<Uint8Array>;

/**
 * The bytes of an upload as they were before they were compressed: undone is what `content-encoding` says, then what
 * the first bytes say, so that a compressed file is taken as it lies. A source that is not read to its end stays usable.
 */
export async function* decompressed(source: Readable, contentEncoding = ''): Bytes {
  let bytes: Bytes = source.iterator({ destroyOnReturn: false }) as Bytes;
  for (const format of encodings(contentEncoding)) bytes = through(bytes, format);
  const { head, all } = await peek(bytes);
  const found = [GZIP, ZSTD].find(({ magic }) => magic.every((byte, i) => head[i] === byte));
  yield* found === undefined ? all : through(all, found);
}

/** In the order in which they are undone: the last one first. */
function encodings(header: string): Format[] {
  const names = header
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  return names.reverse().map((name) => {
    const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
    if (format !== undefined) return format;
    throw new Problem('unsupported-media-type', `content-encoding ${name} is not known; gzip and zstd are`);
  });
}

async function* through(bytes: Bytes, { create }: Format): Bytes {
  try {
    // Errors come out of the last stream, and so does the end.
    yield* pipeline(Readable.from(bytes), create(), () => {}) as Transform;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!/^(Z_|ZSTD_|ERR_ZLIB)/.test(code)) throw error;
    throw new Problem('malformed-encoding', `the upload is compressed, and cannot be decompressed: ${message}`);
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
    yield* seen;
    yield* { [Symbol.asyncIterator]: () => iterator };
  };
  return { head: Buffer.concat(seen).subarray(0, LONGEST_MAGIC), all: all() };
}
