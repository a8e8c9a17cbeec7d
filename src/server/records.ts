import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';
import type { App } from './app.ts';
import { DigestParams, NothingSchema, PageQuery, pageOf, problems, refTo, strict } from './contract/common.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';
import type { Collection } from './store.ts';

/** What programs and captures have in common: records by digest, each with a file, that replays use. */
export interface Kind<R extends Listed, F extends TProperties> {
  readonly kind: 'program' | 'capture';
  readonly schema: TSchema;
  readonly collection: Collection<R>;
  /** What one has to show, for the OpenAPI document. */
  readonly shows: string;
  /** What a list can be asked for beside a name. */
  readonly filters: F;
  matches(record: R, wanted: Static<TObject<F>>): boolean;
}

interface Listed {
  readonly id: string;
  readonly name: string | null;
}

const NamePart = Type.String({ minLength: 1, maxLength: 255, description: 'Part of the name' });

/** The routes that list, show and delete them. Returns what finds one, or throws a `Problem`. */
export function recordRoutes<R extends Listed, F extends TProperties>(
  app: App,
  { store, files, exclusive }: Services,
  { kind, schema, collection, shows, filters, matches }: Kind<R, F>,
): (id: string) => Promise<R> {
  const url = `/${kind}s`;
  const tags = [`${kind}s`];
  const notFound = `${kind}-not-found` as const;
  const one = (description?: string): TSchema => refTo(schema, description);
  const find = async (id: string): Promise<R> => {
    const record = await collection.get(id);
    if (record === undefined) throw new Problem(notFound, `no ${kind} has the id ${id}`);
    return record;
  };
  app.route({
    method: 'GET',
    url,
    schema: {
      tags,
      summary: `List ${kind}s, oldest first`,
      querystring: strict({ ...PageQuery.properties, ...filters, name: Type.Optional(NamePart) }),
      response: { 200: pageOf(one()), ...problems() },
    },
    handler: ({ query }) => {
      const { limit, cursor, name, ...wanted } = query as Static<typeof PageQuery> & { name?: string };
      return collection.list(
        limit ?? 50,
        cursor,
        (record) =>
          (name === undefined || record.name?.includes(name) === true) && matches(record, wanted as Static<TObject<F>>),
      );
    },
  });
  app.route({
    method: 'GET',
    url: `${url}/:id`,
    schema: {
      tags,
      summary: `One ${kind} with ${shows}`,
      params: DigestParams,
      response: { 200: one('As it is'), ...problems(notFound) },
    },
    handler: ({ params: { id } }) => find(id),
  });
  app.route({
    method: 'DELETE',
    url: `${url}/:id`,
    schema: {
      tags,
      summary: `Delete a ${kind}`,
      params: DigestParams,
      response: { 204: NothingSchema, ...problems(notFound, 'in-use') },
    },
    handler: async ({ params: { id } }, reply) => {
      await exclusive(async () => {
        await find(id);
        if (await store.isInUse(id))
          throw new Problem('in-use', `a replay that has not finished, or a stream that runs, uses ${kind} ${id}`);
        await collection.delete(id);
        await files.remove(kind, id);
      });
      return reply.code(204).send(null);
    },
  });
  return find;
}
