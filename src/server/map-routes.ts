import type { DoneEdit, MapQuestion, WantedEdit } from '../index.ts';
import type { App } from './app.ts';
import { pageOf, problems, refTo, UuidParams } from './contract/common.ts';
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
import type { FoundBy } from './maps.ts';
import { mapsOf, type ProgramsWanted } from './pipelines.ts';
import { Problem, type ProblemCode } from './problems.ts';
import type { Services } from './services.ts';

/** Whose maps they are. */
export interface MapOwners {
  /** As routes and problems call one: under `/replays`, `replay-not-found`. */
  readonly kind: 'replay' | 'stream';
  /** What asking one can be answered with, beside what the maps themselves refuse. */
  readonly problems: readonly ProblemCode[];
  /** What becomes of an edit. */
  readonly editing: string;
  /** What says which programs one runs. Throws a `Problem` where there is no such one. */
  programs(id: string): Promise<ProgramsWanted>;
  /** Throws a `Problem`. */
  ask<Q extends MapQuestion>(id: string, question: Q): Promise<FoundBy<Q>>;
}

const READ_PROBLEMS = ['map-not-found', 'bad-map-entry', 'not-ready'] as const satisfies readonly ProblemCode[];
const EDIT_PROBLEMS = [
  'map-refuses',
  'bad-request',
  'malformed-json',
  'too-large',
  'unsupported-media-type',
] as const satisfies readonly ProblemCode[];

/** Maps that are read and edited from outside, one entry after the other. */
export function mapRoutes(app: App, { store }: Services, owners: MapOwners): void {
  const { kind, ask } = owners;
  const tags = ['maps'];
  const notFound = [`${kind}-not-found`, 'program-not-found'] as const;
  const reading = [...notFound, ...READ_PROBLEMS, ...owners.problems];

  app.route({
    method: 'GET',
    url: `/${kind}s/:id/maps`,
    schema: {
      tags,
      summary: `The maps of a ${kind}`,
      description: 'As the object defines them. What they hold is under each of them.',
      params: UuidParams,
      response: { 200: pageOf(MapSchema), ...problems(...notFound) },
    },
    handler: async ({ params: { id } }) => {
      return { items: [...(await mapsOf(store, await owners.programs(id)))], next: null };
    },
  });

  app.route({
    method: 'GET',
    url: `/${kind}s/:id/maps/:map/entries`,
    schema: {
      tags,
      summary: 'Entries of a map as it is, now or in the end',
      description:
        'In the order of `BPF_MAP_GET_NEXT_KEY`; elements of arrays that are all zero are left out. What comes or goes ' +
        'between two pages may be missed, or be there twice.',
      params: MapParams,
      querystring: EntriesQuery,
      response: { 200: EntriesPage, ...problems(...reading) },
    },
    handler: async ({ params: { id, map }, query: { limit = 100, cursor } }) => {
      const at = cursor === undefined ? 0 : Number.parseInt(cursor, 36);
      const { entries, next } = await ask(id, { ask: 'entries', map, at, limit });
      return { items: entries.map(plain), next: next === null ? null : next.toString(36) };
    },
  });

  app.route({
    method: 'GET',
    url: `/${kind}s/:id/maps/:map/entries/:key`,
    schema: {
      tags,
      summary: 'One entry of a map',
      params: EntryParams,
      response: { 200: refTo(MapEntry, 'As it is'), ...problems(...reading, 'entry-not-found') },
    },
    handler: async ({ params: { id, map, key } }) => {
      const entry = await ask(id, { ask: 'entry', map, key });
      if (entry === null) throw new Problem('entry-not-found', `map ${map} has no entry ${key}`);
      return plain(entry);
    },
  });

  app.route({
    method: 'PUT',
    url: `/${kind}s/:id/maps/:map/entries/:key`,
    schema: {
      tags,
      summary: 'Add or replace an entry',
      description: owners.editing,
      params: EntryParams,
      body: ChangeSchema,
      response: { 200: DoneEditSchema, ...problems(...reading, ...EDIT_PROBLEMS) },
    },
    handler: ({ params: { id, map, key }, body }) =>
      edit(id, { map, key, change: changeOf(body), mode: body.mode ?? 'any' }),
  });

  app.route({
    method: 'DELETE',
    url: `/${kind}s/:id/maps/:map/entries/:key`,
    schema: {
      tags,
      summary: 'Delete an entry',
      params: EntryParams,
      response: { 200: DoneEditSchema, ...problems(...reading, 'map-refuses') },
    },
    handler: ({ params: { id, map, key } }) => edit(id, { map, key, change: null, mode: 'any' }),
  });

  async function edit(id: string, wanted: WantedEdit) {
    return doneEdit(await ask(id, { ask: 'edit', edit: wanted }));
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

/** As the contract has it. */
export function doneEdit(edit: DoneEdit) {
  return edit.value === null ? { ...edit, value: null } : plain({ ...edit, value: edit.value });
}
