import { readFile } from 'node:fs/promises';
import { Type } from 'typebox';
import { ACCEPT_PROBLEMS, acceptReplay, findReplay } from './accept.ts';
import type { App } from './app.ts';
import { Digest, NothingSchema, PageQuery, pageOf, problems, refTo, strict, UuidParams } from './contract/common.ts';
import { isFinished, Replay, ReplayRequestSchema, type SeriesRecord, SeriesSchema } from './contract/replays.ts';
import type { Services } from './services.ts';

const tags = ['replays'];
/** Initial contents of maps can be long. */
export const LARGEST_REQUEST = 16 * 1024 * 1024;

export async function replays(app: App, services: Services): Promise<void> {
  const { store, files, jobs } = services;
  app.route({
    method: 'POST',
    url: '/replays',
    bodyLimit: LARGEST_REQUEST,
    schema: {
      tags,
      summary: 'Replay a capture through a program',
      body: ReplayRequestSchema,
      response: { 202: refTo(Replay, 'Accepted'), ...problems(...ACCEPT_PROBLEMS) },
    },
    handler: async ({ body }, reply) => {
      const record = await acceptReplay(services, body);
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
      querystring: strict({
        ...PageQuery.properties,
        state: Type.Optional(Replay.properties.state),
        program: Type.Optional(Digest),
        capture: Type.Optional(Digest),
      }),
      response: { 200: pageOf(refTo(Replay)), ...problems() },
    },
    handler: async ({ query: { limit, cursor, ...wanted } }) => {
      const { items, next } = await store.replays.list(
        limit ?? 50,
        cursor,
        ({ state, request: { program, capture } }) => matches({ state, program, capture }, wanted),
      );
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
    handler: ({ params: { id } }) => findReplay(services, id),
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
      const { state } = await findReplay(services, id);
      if (!isFinished(state)) {
        await jobs.cancel(id);
        return findReplay(services, id);
      }
      await store.replays.delete(id);
      await files.removeRecordings(id);
      return reply.code(204).send(null);
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/series',
    schema: {
      tags,
      summary: 'Verdicts over time: by when packets were captured, and by when they ran',
      params: UuidParams,
      response: { 200: SeriesSchema, ...problems('replay-not-found') },
    },
    handler: async ({ params: { id } }) => {
      await findReplay(services, id);
      const text = await readFile(files.path('series', id), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (text !== undefined) return JSON.parse(text) as SeriesRecord;
      return jobs.series(id) ?? { capture: null, wall: { seconds: 1, windows: [] } };
    },
  });
}

/** Whether a record has every value that is asked for. */
function matches<T extends object>(
  record: T,
  wanted: { readonly [member in keyof T]?: T[member] | undefined },
): boolean {
  return (Object.keys(wanted) as (keyof T)[]).every(
    (member) => wanted[member] === undefined || wanted[member] === record[member],
  );
}
