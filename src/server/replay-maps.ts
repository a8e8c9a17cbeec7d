import type { DoneEdit, WantedEdit } from '../index.ts';
import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { PageQuery, pageOf, problems, refTo, UuidParams } from './contract/common.ts';
import {
  type Change,
  ChangeSchema,
  EntriesPage,
  EntriesQuery,
  EntryParams,
  MapEntry,
  MapParams,
  MapSchema,
} from './contract/maps.ts';
import { DoneEditSchema } from './contract/replays.ts';
import { Problem, type ProblemCode } from './problems.ts';
import type { Services } from './services.ts';

const tags = ['maps'];

const READ_PROBLEMS = [
  'replay-not-found',
  'program-not-found',
  'map-not-found',
  'not-recorded',
  'replay-not-running',
  'bad-map-entry',
  'not-ready',
] as const satisfies readonly ProblemCode[];
const EDIT_PROBLEMS = [
  ...READ_PROBLEMS,
  'map-refuses',
  'bad-request',
  'malformed-json',
  'too-large',
  'unsupported-media-type',
] as const satisfies readonly ProblemCode[];

/** The maps of a replay, while it runs and afterwards. */
export async function replayMaps(app: App, services: Services): Promise<void> {
  const { store, maps } = services;

  app.route({
    method: 'GET',
    url: '/replays/:id/maps',
    schema: {
      tags,
      summary: 'The maps of a replay',
      description: 'As the object defines them. What they hold is under each of them, and all of it in `maps.json`.',
      params: UuidParams,
      response: { 200: pageOf(MapSchema), ...problems('replay-not-found', 'program-not-found') },
    },
    handler: async ({ params: { id } }) => {
      const { request } = await findReplay(services, id);
      const program = await store.programs.get(request.program);
      if (program === undefined) throw new Problem('program-not-found', `the program of replay ${id} was deleted`);
      return { items: program.maps, next: null };
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/maps/:map/entries',
    schema: {
      tags,
      summary: 'Entries of a map as it is, now or in the end',
      description:
        'In the order of `BPF_MAP_GET_NEXT_KEY`; elements of arrays that are all zero are left out. What comes or goes ' +
        'between two pages may be missed, or be there twice.',
      params: MapParams,
      querystring: EntriesQuery,
      response: { 200: EntriesPage, ...problems(...READ_PROBLEMS) },
    },
    handler: async ({ params: { id, map }, query: { limit = 100, cursor } }) => {
      const at = cursor === undefined ? 0 : Number.parseInt(cursor, 36);
      const { entries, next } = await maps.ask(id, { ask: 'entries', map, at, limit });
      return { items: entries.map(plain), next: next === null ? null : next.toString(36) };
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/maps/:map/entries/:key',
    schema: {
      tags,
      summary: 'One entry of a map',
      params: EntryParams,
      response: { 200: refTo(MapEntry, 'As it is'), ...problems(...READ_PROBLEMS, 'entry-not-found') },
    },
    handler: async ({ params: { id, map, key } }) => {
      const entry = await maps.ask(id, { ask: 'entry', map, key });
      if (entry === null) throw new Problem('entry-not-found', `map ${map} has no entry ${key}`);
      return plain(entry);
    },
  });

  app.route({
    method: 'PUT',
    url: '/replays/:id/maps/:map/entries/:key',
    schema: {
      tags,
      summary: 'Add or replace an entry',
      description:
        'While the replay runs it is done between two packets, and `before` says before which: given as `edits` to ' +
        'another replay, it is done there again. Afterwards it changes what is kept of the maps.',
      params: EntryParams,
      body: ChangeSchema,
      response: { 200: DoneEditSchema, ...problems(...EDIT_PROBLEMS) },
    },
    handler: ({ params: { id, map, key }, body }) =>
      edit(id, { map, key, change: changeOf(body), mode: body.mode ?? 'any' }),
  });

  app.route({
    method: 'DELETE',
    url: '/replays/:id/maps/:map/entries/:key',
    schema: {
      tags,
      summary: 'Delete an entry',
      params: EntryParams,
      response: { 200: DoneEditSchema, ...problems(...READ_PROBLEMS, 'map-refuses') },
    },
    handler: ({ params: { id, map, key } }) => edit(id, { map, key, change: null, mode: 'any' }),
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/edits',
    schema: {
      tags,
      summary: 'Edits of maps that were asked for while the replay ran, and since',
      description: 'In the order in which they were done. Those that the request has are not among them.',
      params: UuidParams,
      querystring: PageQuery,
      response: { 200: pageOf(DoneEditSchema), ...problems('replay-not-found') },
    },
    handler: async ({ params: { id }, query: { limit, cursor } }) => {
      await findReplay(services, id);
      const { items, next } = await store.edits.list(id, limit ?? 50, cursor);
      return { items: items.map(done), next };
    },
  });

  async function edit(id: string, wanted: WantedEdit) {
    return done(await maps.ask(id, { ask: 'edit', edit: wanted }));
  }
}

function changeOf({ value, decoded }: Change): WantedEdit['change'] {
  if ((value === undefined) === (decoded === undefined)) {
    throw new Problem('bad-request', 'give either value, in hex, or decoded, as JSON by the type of the value');
  }
  return value === undefined ? { decoded: decoded as never } : { value };
}

/** Lists that can be changed, as the contract has them. */
function plain<E extends { readonly value: string | readonly string[] }>(entry: E) {
  const { value } = entry;
  return { ...entry, value: typeof value === 'string' ? value : [...value] };
}

function done(edit: DoneEdit) {
  return edit.value === null ? { ...edit, value: null } : plain({ ...edit, value: edit.value });
}
