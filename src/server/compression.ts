import type { Readable } from 'node:stream';
import {
  type Bytes,
  type Compression,
  CompressionError,
  decompress,
  GZIP,
  plainBytes,
  ZSTD,
} from '../capture/compression.ts';
import { Problem } from './problems.ts';

/** By the name that `content-encoding` has for it (RFC 9110, section 8.4.1). */
const ENCODINGS: Readonly<Record<string, Compression>> = { gzip: GZIP, 'x-gzip': GZIP, zstd: ZSTD };

/**
 * The bytes of an upload as they were before they were compressed: undone is what `content-encoding` says, then what
 * the first bytes say, so that a compressed file is taken as it lies. A source that is not read to its end stays usable.
 */
export async function* decompressed(source: Readable, contentEncoding = ''): Bytes {
  let bytes: Bytes = source.iterator({ destroyOnReturn: false }) as Bytes;
  for (const compression of encodings(contentEncoding)) bytes = decompress(bytes, compression);
  try {
    yield* plainBytes(bytes);
  } catch (error) {
    if (!(error instanceof CompressionError)) throw error;
    throw new Problem('malformed-encoding', `the upload is compressed, and cannot be decompressed: ${error.message}`);
  }
}

/** In the order in which they are undone: the last one first. */
function encodings(header: string): Compression[] {
  const names = header
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  return names.reverse().map((name) => {
    const known = Object.hasOwn(ENCODINGS, name) ? ENCODINGS[name] : undefined;
    if (known !== undefined) return known;
    throw new Problem('unsupported-media-type', `content-encoding ${name} is not known; gzip and zstd are`);
  });
}
