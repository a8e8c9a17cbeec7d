import { createReadStream } from 'node:fs';
import { Type } from 'typebox';
import { summarizeCapture } from '../capture/ingest.ts';
import type { App } from './app.ts';
import { Capture, type CaptureRecord } from './contract/captures.ts';
import {
  DigestParams,
  Name,
  NothingSchema,
  PageQuery,
  pageOf,
  problems,
  refTo,
  strict,
  upload,
} from './contract/common.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';
import { acceptUploads, receiveUpload } from './uploads.ts';

const MEDIA_TYPES = [
  'application/vnd.tcpdump.pcap',
  'application/octet-stream',
  'application/x-pcapng',
  'application/x-pcap',
];
const tags = ['captures'];

export async function captures(app: App, { store, files, limits, exclusive }: Services): Promise<void> {
  await acceptUploads(app, MEDIA_TYPES);

  app.route({
    method: 'POST',
    url: '/captures',
    schema: {
      tags,
      summary: 'Upload a capture, pcap or pcapng',
      description:
        'The same bytes are the same capture: the answer is then 200, and the name stays as it was. A capture that is ' +
        'damaged behind its first packet is kept; its summary says where the damage is.',
      querystring: strict({ name: Type.Optional(Name) }),
      body: upload(MEDIA_TYPES, 'capture'),
      response: {
        200: refTo(Capture, 'As it is'),
        201: refTo(Capture, 'Made'),
        ...problems(
          'no-body',
          'upload-cut',
          'malformed-multipart',
          'too-large',
          'unsupported-media-type',
          'bad-capture',
          'no-space',
        ),
      },
    },
    handler: async (request, reply) => {
      const { name: byQuery } = request.query;
      const { received, name } = await receiveUpload(request, files, {
        field: 'capture',
        limit: limits.capture,
        name: byQuery,
      });
      try {
        const known = await store.captures.get(received.digest);
        const summary = known?.summary ?? (await summarize(received.path));
        return await exclusive(async () => {
          await files.keep(received, 'capture');
          const known = await store.captures.get(received.digest);
          if (known !== undefined) return known;
          const { digest: id, size } = received;
          const record: CaptureRecord = { id, name, size, createdAt: new Date().toISOString(), summary };
          await store.captures.put(record);
          reply.code(201).header('location', `/v1/captures/${id}`);
          return record;
        });
      } finally {
        await files.discard(received);
      }
    },
  });

  app.route({
    method: 'GET',
    url: '/captures',
    schema: {
      tags,
      summary: 'List captures, oldest first',
      querystring: PageQuery,
      response: { 200: pageOf(refTo(Capture)), ...problems() },
    },
    handler: ({ query: { limit, cursor } }) => store.captures.list(limit ?? 50, cursor),
  });

  app.route({
    method: 'GET',
    url: '/captures/:id',
    schema: {
      tags,
      summary: 'One capture with its summary',
      params: DigestParams,
      response: { 200: refTo(Capture, 'As it is'), ...problems('capture-not-found') },
    },
    handler: async ({ params: { id } }) => (await store.captures.get(id)) ?? notFound(id),
  });

  app.route({
    method: 'DELETE',
    url: '/captures/:id',
    schema: {
      tags,
      summary: 'Delete a capture',
      params: DigestParams,
      response: { 204: NothingSchema, ...problems('capture-not-found', 'in-use') },
    },
    handler: async ({ params: { id } }, reply) => {
      await exclusive(async () => {
        if ((await store.captures.get(id)) === undefined) notFound(id);
        if (await store.isInUse(id)) throw new Problem('in-use', `a replay that has not finished reads capture ${id}`);
        await store.captures.delete(id);
        await files.remove('capture', id);
      });
      return reply.code(204).send(null);
    },
  });
}

function notFound(id: string): never {
  throw new Problem('capture-not-found', `no capture has the id ${id}`);
}

/** Throws a `Problem` when not even a packet is good. An empty capture is one. */
async function summarize(path: string): Promise<CaptureRecord['summary']> {
  const summary = await summarizeCapture(createReadStream(path));
  const { error, packets } = summary;
  if (error !== null && packets === 0) throw new Problem('bad-capture', error.message, { fault: error });
  return { ...summary, sizes: [...summary.sizes] };
}
