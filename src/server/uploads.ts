import type { IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import multipart from '@fastify/multipart';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { decompressed } from './compression.ts';
import { type DataFiles, type Limit, type Received, tooLarge } from './files.ts';
import { Problem } from './problems.ts';

/** Makes the routes of a scope take streams: raw in any of the media types, or multipart. Nothing is parsed ahead. */
export async function acceptUploads(scope: FastifyInstance, mediaTypes: readonly string[]): Promise<void> {
  // What does not say what it is is bytes (RFC 9110, section 8.3).
  scope.addHook('onRequest', async ({ headers }) => {
    if (hasBody(headers)) headers['content-type'] ??= 'application/octet-stream';
  });
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser([...mediaTypes], (_request, payload, done) => done(null, payload));
  // One more file than is wanted, so that a second one can be told of. Sizes are watched while the file is received.
  await scope.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fields: 4, files: 2, parts: 6, fieldSize: 1024, fileSize: Number.POSITIVE_INFINITY },
  });
}

function hasBody({ 'transfer-encoding': encoding, 'content-length': length = '0' }: IncomingHttpHeaders): boolean {
  return encoding !== undefined || length !== '0';
}

/** What can be wrong with an upload, whatever it holds. */
export const UPLOAD_PROBLEMS = [
  'no-body',
  'upload-cut',
  'malformed-multipart',
  'malformed-encoding',
  'too-large',
  'unsupported-media-type',
] as const;

/** How an upload is to come. */
export interface Expected {
  /** Field of the multipart form that holds the file. */
  readonly field: string;
  readonly limit: Limit;
  /** Name by the query, for raw bodies. */
  readonly name: string | undefined;
  /** What is hashed before bytes of a media type, so that the same bytes are another thing. May throw a `Problem`. */
  readonly prefix?: (mediaType: string) => string;
}

interface Upload {
  readonly received: Received;
  readonly name: string | null;
  /** Without parameters. */
  readonly mediaType: string;
}

/** Streams the file of a request to disk. Its name is for people only. */
export async function receiveUpload(request: FastifyRequest, files: DataFiles, expected: Expected): Promise<Upload> {
  const { limit, name, prefix } = expected;
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit.bytes + MULTIPART_OVERHEAD) throw tooLarge(limit);
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && request.isMultipart()) {
    throw new Problem('unsupported-media-type', 'a form is not compressed as a whole; compress the file in it');
  }
  const stopWatching = endWhenIdle(request);
  try {
    if (request.isMultipart()) return await receiveForm(request, files, expected);
    if (!(request.body instanceof Readable)) throw new Problem('no-body', 'the file is to be the body of the request');
    const mediaType = mediaTypeOf(request.headers['content-type']);
    const received = await files.receive(decompressed(request.body, encoding), limit, prefix?.(mediaType));
    return { received, name: name ?? null, mediaType };
  } catch (error) {
    throw isCut(request, error) ? new Problem('upload-cut', 'the upload ended early; nothing of it is kept') : error;
  } finally {
    stopWatching();
  }
}

/** A sender that is silent for this long is gone, or means to hold a connection and a file open. */
const LONGEST_SILENCE = 120_000;

/** Node closes a socket that times out. A request that is injected has none. */
function endWhenIdle({ raw: { socket } }: FastifyRequest): () => void {
  if (!(socket instanceof Socket)) return () => {};
  socket.setTimeout(LONGEST_SILENCE);
  return () => socket.setTimeout(0);
}

/** Boundaries, headers and short fields: what a form may take beside its file. */
const MULTIPART_OVERHEAD = 64 * 1024;
const LONGEST_NAME = 255;

async function receiveForm(
  request: FastifyRequest,
  files: DataFiles,
  { field, limit, name, prefix }: Expected,
): Promise<Upload> {
  let received: Received | undefined;
  let fileName: string | undefined;
  let givenName = name;
  let mediaType = '';
  try {
    for await (const part of request.parts()) {
      if (part.type === 'field') {
        if (part.fieldname !== 'name') throw unexpected(part.fieldname, field);
        givenName = String(part.value);
        continue;
      }
      if (part.fieldname !== field || received !== undefined) throw unexpected(part.fieldname, field);
      fileName = part.filename;
      mediaType = mediaTypeOf(part.mimetype);
      received = await files.receive(decompressed(part.file), limit, prefix?.(mediaType));
    }
    if (received === undefined) {
      throw new Problem('malformed-multipart', `the form has no file in its field ${field}`);
    }
  } catch (error) {
    if (received !== undefined) await files.discard(received);
    // What is left of the request is read and thrown away, so that the answer is heard; not by the parser, which
    // would pile up what nobody takes from it.
    request.raw.unpipe();
    request.raw.resume();
    throw error instanceof Problem || (error as { code?: string }).code !== undefined
      ? error
      : new Problem('malformed-multipart', (error as Error).message);
  }
  const shown = (givenName ?? fileName ?? '').slice(0, LONGEST_NAME);
  return { received, name: shown === '' ? null : shown, mediaType };
}

function mediaTypeOf(header = ''): string {
  return header.split(';', 1)[0]!.trim().toLowerCase();
}

function unexpected(name: string, field: string): Problem {
  return new Problem(
    'malformed-multipart',
    `field ${name} is not expected: the form has one file in field ${field}, and may have a field name`,
  );
}

function isCut(request: FastifyRequest, error: unknown): boolean {
  const { code } = error as { code?: string };
  return request.raw.destroyed && !request.raw.complete && code !== undefined && !(error instanceof Problem);
}
