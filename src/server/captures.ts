import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { summarizeCapture } from '../capture/ingest.ts';
import type { App } from './app.ts';
import { Capture, type CaptureRecord } from './contract/captures.ts';
import { DigestParams, Name, problems, refTo, streamed, strict, upload } from './contract/common.ts';
import { Problem } from './problems.ts';
import { requestedRange } from './ranges.ts';
import { recordRoutes } from './records.ts';
import type { Services } from './services.ts';
import { acceptUploads, receiveUpload, UPLOAD_PROBLEMS } from './uploads.ts';

const MEDIA_TYPES = [
  'application/vnd.tcpdump.pcap',
  'application/octet-stream',
  'application/x-pcapng',
  'application/x-pcap',
];
const tags = ['captures'];

export async function captures(app: App, services: Services): Promise<void> {
  const { store, files, limits, exclusive } = services;
  await acceptUploads(app, MEDIA_TYPES);

  app.route({
    // `curl -T` puts.
    method: ['POST', 'PUT'],
    url: '/captures',
    schema: {
      tags,
      summary: 'Upload a capture, pcap or pcapng, as it is or compressed by gzip or zstd',
      description:
        'The same bytes, decompressed, are the same capture: the answer is then 200, and the name stays as it was. A capture that is ' +
        'damaged behind its first packet is kept; its summary says where the damage is.',
      querystring: strict({ name: Type.Optional(Name) }),
      body: upload(MEDIA_TYPES, 'capture'),
      response: {
        200: refTo(Capture, 'As it is'),
        201: refTo(Capture, 'Made'),
        ...problems(...UPLOAD_PROBLEMS, 'bad-capture'),
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

  const find = recordRoutes(app, services, {
    kind: 'capture',
    schema: Capture,
    collection: store.captures,
    shows: 'its summary',
    filters: {},
    matches: () => true,
  });

  app.route({
    method: 'GET',
    url: '/captures/:id/content',
    schema: {
      tags,
      summary: 'The capture as it was uploaded, decompressed, whole or in part',
      description:
        'Takes `range` (one range of bytes), and `if-range` with the entity tag, which is the id: an interrupted ' +
        'download goes on where it ended.',
      params: DigestParams,
      response: {
        200: streamed([PCAP[0], PCAPNG[0]], 'The whole of it, in the media type of its format'),
        206: streamed([PCAP[0], PCAPNG[0]], 'The part that was asked for'),
        ...problems('capture-not-found', 'range-not-satisfiable'),
      },
    },
    handler: async (request, reply) => {
      const { id, size, summary } = await find(request.params.id);
      const tag = `"${id}"`;
      const { range: header, 'if-range': condition = tag } = request.headers;
      const range = condition === tag ? requestedRange(header, size) : undefined;
      reply.headers({ 'accept-ranges': 'bytes', etag: tag });
      if (range === 'unsatisfiable') {
        reply.header('content-range', `bytes */${size}`);
        throw new Problem('range-not-satisfiable', `capture ${id} has ${size} bytes, and none of them is in ${header}`);
      }
      const [type, ending] = summary.format === 'pcapng' ? PCAPNG : PCAP;
      const { start, end } = range ?? { start: 0, end: size - 1 };
      const file = await files.open('capture', id);
      // Not read to its end for nobody.
      const isHead = request.method === 'HEAD';
      if (isHead) await file.close();
      reply.headers({
        'content-type': type,
        'content-length': end - start + 1,
        'content-disposition': `attachment; filename="${id}${ending}"`,
      });
      if (range !== undefined) reply.code(206).header('content-range', `bytes ${start}-${end}/${size}`);
      return reply.send(isHead ? Readable.from([]) : file.createReadStream({ start, end }));
    },
  });
}

const PCAP = ['application/vnd.tcpdump.pcap', '.pcap'] as const;
const PCAPNG = ['application/x-pcapng', '.pcapng'] as const;

/** Throws a `Problem` when not even a packet is good. An empty capture is one. */
async function summarize(path: string): Promise<CaptureRecord['summary']> {
  const summary = await summarizeCapture(createReadStream(path));
  const { error, packets } = summary;
  if (error !== null && packets === 0) throw new Problem('bad-capture', error.message, { fault: error });
  return { ...summary, sizes: [...summary.sizes] };
}
