import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { problems, streamed, UuidParams } from './contract/common.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';
import type { DataFiles } from './files.ts';
import type { ReplayMaps } from './maps.ts';
import { mapsOf } from './pipelines.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';

const tags = ['replays'];
const ENTRIES_AT_ONCE = 1000;

/** What a replay left in files, each as a whole. */
export async function recordings(app: App, services: Services): Promise<void> {
  const { files, maps } = services;
  const answers = problems('replay-not-found', 'not-recorded', 'replay-not-finished');

  app.route({
    method: 'GET',
    url: '/replays/:id/maps.json',
    schema: {
      tags,
      summary: 'Final contents of all maps, with what was edited since',
      params: UuidParams,
      response: {
        200: streamed(
          'application/json',
          '`{"maps": [{"map", "type", "entries": [{"key": hex, "value": hex | [hex per CPU]}]}]}`',
        ),
        ...answers,
      },
    },
    handler: async ({ params: { id } }, reply) => {
      const record = await findReplay(services, id);
      const size = await recordingSize(files, record, 'maps');
      reply.type('application/json');
      if (await maps.areEdited(id)) {
        return reply.send(Readable.from(editedMaps(maps, id, await mapsOf(services.store, record.request))));
      }
      return reply.header('content-length', size).send(createReadStream(files.path('maps', id)));
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/output.pcapng',
    schema: {
      tags,
      summary: 'The packets as they left, each with its verdict',
      params: UuidParams,
      response: { 200: streamed('application/x-pcapng', 'With `epb_verdict`, and the verdict in words'), ...answers },
    },
    handler: async ({ params: { id } }, reply) => {
      const size = await recordingSize(files, await findReplay(services, id), 'output');
      reply.type('application/x-pcapng').header('content-length', size);
      return reply.send(createReadStream(files.path('output', id)));
    },
  });
}

/** Bytes of what a replay recorded, once it is whole. Throws a `Problem`. */
export async function recordingSize(
  files: DataFiles,
  { id, state, request }: ReplayRecord,
  kind: 'packets' | 'maps' | 'output',
): Promise<number> {
  if (!isFinished(state)) throw new Problem('replay-not-finished', `replay ${id} is ${state}; ask when it is done`);
  const found =
    request[kind] === true
      ? await stat(files.path(kind, id)).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return undefined;
          throw error;
        })
      : undefined;
  if (found !== undefined) return found.size;
  throw new Problem(
    'not-recorded',
    request[kind] === true
      ? `replay ${id} ended as ${state} before it recorded its ${kind}`
      : `replay ${id} was not asked to record its ${kind}; start it with "${kind}": true`,
  );
}

/** In the form of the file, from whoever holds them. */
async function* editedMaps(
  maps: ReplayMaps,
  id: string,
  all: readonly { readonly name: string; readonly type: string }[],
): AsyncGenerator<string> {
  yield '{"maps": [\n';
  let comma = '';
  for (const { name, type } of all) {
    yield `${comma}{"map": ${JSON.stringify(name)}, "type": ${JSON.stringify(type)}, "entries": [\n`;
    comma = '';
    for (let at: number | null = 0; at !== null; ) {
      const page: { entries: readonly { key: string; value: unknown }[]; next: number | null } = await maps.ask(id, {
        ask: 'entries',
        map: name,
        at,
        limit: ENTRIES_AT_ONCE,
      });
      let text = '';
      for (const { key, value } of page.entries) {
        text += `${comma}${JSON.stringify({ key, value })}\n`;
        comma = ',';
      }
      if (text !== '') yield text;
      at = page.next;
    }
    yield ']}\n';
    comma = ',';
  }
  yield ']}\n';
}
