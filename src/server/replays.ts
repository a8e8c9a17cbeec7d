import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { App } from './app.ts';
import { NothingSchema, PageQuery, pageOf, problems, refTo, streamed, UuidParams } from './contract/common.ts';
import type { ProgramRecord } from './contract/programs.ts';
import { isFinished, type NewReplay, Replay, ReplayRequestSchema } from './contract/replays.ts';
import { findEntry } from './entries.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';

const tags = ['replays'];
/** Initial contents of maps can be long. */
const LARGEST_REQUEST = 16 * 1024 * 1024;

export async function replays(app: App, { store, files, jobs, limits, exclusive }: Services): Promise<void> {
  app.route({
    method: 'POST',
    url: '/replays',
    bodyLimit: LARGEST_REQUEST,
    schema: {
      tags,
      summary: 'Replay a capture through a program',
      body: ReplayRequestSchema,
      response: {
        202: refTo(Replay, 'Accepted'),
        ...problems(
          'malformed-json',
          'too-large',
          'unsupported-media-type',
          'unknown-program',
          'unknown-capture',
          'unknown-entry',
          'program-refused',
          'too-many-requests',
        ),
      },
    },
    handler: async ({ body }, reply) => {
      const record = await exclusive(async () => {
        const program = await store.programs.get(body.program);
        if (program === undefined) throw new Problem('unknown-program', `no program has the id ${body.program}`);
        const capture = await store.captures.get(body.capture);
        if (capture === undefined) throw new Problem('unknown-capture', `no capture has the id ${body.capture}`);
        checkEntry(program, body);
        if (jobs.queue.waiting >= limits.queue) {
          throw new Problem('too-many-requests', `${limits.queue} replays are waiting already; ask again later`);
        }
        return jobs.create(body, capture.size);
      });
      reply.code(202).header('location', `/v1/replays/${record.id}`);
      return record;
    },
  });

  app.route({
    method: 'GET',
    url: '/replays',
    schema: {
      tags,
      summary: 'List replays, oldest first',
      querystring: PageQuery,
      response: { 200: pageOf(refTo(Replay)), ...problems() },
    },
    handler: async ({ query: { limit, cursor } }) => {
      const { items, next } = await store.replays.list(limit ?? 50, cursor);
      return { items: items.map(jobs.withProgress), next };
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id',
    schema: {
      tags,
      summary: 'State, progress and tally of a replay',
      params: UuidParams,
      response: { 200: refTo(Replay, 'As it is'), ...problems('replay-not-found') },
    },
    handler: async ({ params: { id } }) => find(id),
  });

  app.route({
    method: 'DELETE',
    url: '/replays/:id',
    schema: {
      tags,
      summary: 'Cancel a replay, or delete one that has finished',
      description: 'One that has not finished is cancelled and stays to be seen (200); any other is deleted (204).',
      params: UuidParams,
      response: { 200: refTo(Replay, 'As it is'), 204: NothingSchema, ...problems('replay-not-found') },
    },
    handler: async ({ params: { id } }, reply) => {
      const { state } = await find(id);
      if (!isFinished(state)) {
        await jobs.cancel(id);
        return find(id);
      }
      await store.replays.delete(id);
      await files.removeRecordings(id);
      return reply.code(204).send(null);
    },
  });

  const recordings = [
    {
      url: '/replays/:id/maps',
      kind: 'maps',
      mediaType: 'application/json',
      summary: 'Final contents of the maps',
      description: '`{"maps": [{"map", "type", "entries": [{"key": hex, "value": hex | [hex per CPU]}]}]}`',
    },
    {
      url: '/replays/:id/packets',
      kind: 'packets',
      mediaType: 'application/x-ndjson',
      summary: 'What became of each packet, one JSON line each',
      description: 'Of a replay that failed or was cancelled: the packets up to there.',
    },
  ] as const;
  for (const { url, kind, mediaType, summary, description } of recordings) {
    app.route({
      method: 'GET',
      url,
      schema: {
        tags,
        summary,
        params: UuidParams,
        response: {
          200: streamed(mediaType, description),
          ...problems('replay-not-found', 'not-recorded', 'replay-not-finished'),
        },
      },
      handler: async ({ params: { id } }, reply) => {
        const { state, request } = await find(id);
        if (!isFinished(state))
          throw new Problem('replay-not-finished', `replay ${id} is ${state}; ask when it is done`);
        const size = request[kind] === true ? await sizeOf(files.path(kind, id)) : undefined;
        if (size === undefined) {
          throw new Problem(
            'not-recorded',
            request[kind] === true
              ? `replay ${id} ended as ${state} before it recorded its ${kind}`
              : `replay ${id} was not asked to record its ${kind}; start it with "${kind}": true`,
          );
        }
        reply.type(mediaType).header('content-length', size);
        return reply.send(createReadStream(files.path(kind, id)));
      },
    });
  }

  async function find(id: string) {
    const record = await jobs.get(id);
    if (record === undefined) throw new Problem('replay-not-found', `no replay has the id ${id}`);
    return record;
  }
}

/** Says at once what would make the replay fail as soon as it starts. */
function checkEntry(program: ProgramRecord, request: NewReplay): void {
  const { refusal } = findEntry(program, request.entry);
  // The verdict was given for the type that the section names; for another the worker asks again.
  if (refusal === null || request.type !== undefined) return;
  const { message, help } = refusal;
  throw new Problem('program-refused', help === null ? message : `${message}. ${help}`, { refusal });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const file = await open(path);
    const { size } = await file.stat();
    await file.close();
    return size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
