import { Readable } from 'node:stream';
import type { App } from '../app.ts';
import { decompressed } from '../compression.ts';
import { NothingSchema, PageQuery, pageOf, problems, refTo, UuidParams } from '../contract/common.ts';
import { CaptureReceipt, Stream, StreamRequestSchema, StreamWindows } from '../contract/streams.ts';
import { mapRoutes } from '../map-routes.ts';
import { Problem } from '../problems.ts';
import type { Services } from '../services.ts';
import { streamEvents } from './stream-events.ts';
import { shownWindows } from './streams.ts';

const tags = ['streams'];
/** Initial contents of maps can be long. */
const LARGEST_REQUEST = 16 * 1024 * 1024;

export async function streamRoutes(app: App, services: Services): Promise<void> {
  const { store, streams } = services;

  app.route({
    method: 'POST',
    url: '/streams',
    bodyLimit: LARGEST_REQUEST,
    schema: {
      tags,
      summary: 'Run a program on live captures, as they come',
      description:
        'A source gives captures, pcap or pcapng, one after the other; maps keep what they hold from one to the next. ' +
        'A source that ends, or sends what cannot be read, is read again when it is back. Only a source that cannot be ' +
        'opened in the first place is refused.',
      body: StreamRequestSchema,
      response: {
        201: refTo(Stream, 'Runs'),
        ...problems(
          'bad-request',
          'malformed-json',
          'too-large',
          'unsupported-media-type',
          'unknown-program',
          'unknown-entry',
          'unknown-source',
          'source-unavailable',
          'program-refused',
          'bad-object',
          'too-many-requests',
        ),
      },
    },
    handler: async ({ body }, reply) => {
      const record = await streams.create(body);
      reply.code(201).header('location', `/v1/streams/${record.id}`);
      return record;
    },
  });

  app.route({
    method: 'GET',
    url: '/streams',
    schema: {
      tags,
      summary: 'List streams, oldest first',
      querystring: PageQuery,
      response: { 200: pageOf(refTo(Stream)), ...problems() },
    },
    handler: ({ query: { limit, cursor } }) => streams.list(limit ?? 50, cursor),
  });

  app.route({
    method: 'GET',
    url: '/streams/:id',
    schema: {
      tags,
      summary: 'State, source and tally of a stream',
      params: UuidParams,
      response: { 200: refTo(Stream, 'As it is'), ...problems('stream-not-found') },
    },
    handler: ({ params: { id } }) => find(id),
  });

  app.route({
    method: 'GET',
    url: '/streams/:id/windows',
    schema: {
      tags,
      summary: 'What became of the packets of late, by window of time',
      params: UuidParams,
      response: { 200: StreamWindows, ...problems('stream-not-found', 'stream-ended') },
    },
    handler: async ({ params: { id } }) => {
      const record = await find(id);
      return shownWindows(record.request, streams.windows(record));
    },
  });

  await streamEvents(app, services);
  mapRoutes(app, services, {
    kind: 'stream',
    problems: ['stream-ended'],
    editing: 'It is done between two packets; `before` says how many the stream had read.',
    programs: async (id) => (await find(id)).request,
    ask: async (id, question) => streams.ask(await find(id), question),
  });

  app.route({
    method: 'DELETE',
    url: '/streams/:id',
    schema: {
      tags,
      summary: 'Stop a stream, or delete one that does not run',
      description: 'One that runs is stopped and stays to be seen (200); any other is deleted (204).',
      params: UuidParams,
      response: { 200: refTo(Stream, 'As it is'), 204: NothingSchema, ...problems('stream-not-found') },
    },
    handler: async ({ params: { id } }, reply) => {
      const { state } = await find(id);
      if (state === 'running') {
        await streams.stop(id);
        return find(id);
      }
      await store.streams.delete(id);
      return reply.code(204).send(null);
    },
  });

  await app.register(async (uploads: App) => {
    // Whatever the body calls itself: its first bytes tell.
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    uploads.route({
      method: ['PUT', 'POST'],
      url: '/streams/:id/capture',
      schema: {
        tags,
        summary: 'Send a stream a capture, as it is captured',
        description:
          'The body may take as long as it likes: `tcpdump -U -w - | curl -T - …`. It is read as fast as the program ' +
          'runs. The answer comes at its end, or when it cannot be read any further.',
        params: UuidParams,
        body: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } },
        response: {
          200: { ...CaptureReceipt, description: 'Read to its end' },
          ...problems(
            'stream-not-found',
            'stream-busy',
            'stream-ended',
            'wrong-source',
            'no-body',
            'malformed-encoding',
            'unsupported-media-type',
            'bad-capture',
          ),
        },
      },
      handler: async (request, reply) => {
        const { body, headers, params, raw } = request;
        const record = await find((params as { id: string }).id);
        if (!(body instanceof Readable)) throw new Problem('no-body', 'the capture is to be the body of the request');
        raw.socket.setKeepAlive?.(true, KEEP_ALIVE_DELAY);
        const bytes = Readable.from(decompressed(body, headers['content-encoding']), { objectMode: false });
        try {
          const { frames, bytes: size, fault } = await streams.read(record, request.ip, bytes);
          if (fault === null) return { frames, bytes: size };
          throw new Problem('bad-capture', fault.message, { fault });
        } catch (error) {
          // Who sends on is not listened to, and the connection cannot serve for another request.
          reply.header('connection', 'close');
          reply.raw.once('finish', () => setTimeout(() => raw.destroy(), LINGER).unref());
          body.resume();
          throw error;
        }
      },
    });
  });

  async function find(id: string) {
    const record = await streams.get(id);
    if (record === undefined) throw new Problem('stream-not-found', `no stream has the id ${id}`);
    return record;
  }
}

/** A sender may be silent for as long as there are no packets; TCP tells whether it is there. In milliseconds. */
const KEEP_ALIVE_DELAY = 15_000;
/** For the answer to be read before the connection is closed on a sender that goes on, in milliseconds. */
const LINGER = 1_000;
