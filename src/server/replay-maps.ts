import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { PageQuery, pageOf, problems, UuidParams } from './contract/common.ts';
import { DoneEditSchema } from './contract/replays.ts';
import { doneEdit, mapRoutes } from './map-routes.ts';
import type { Services } from './services.ts';

/** The maps of a replay, while it runs and afterwards. */
export async function replayMaps(app: App, services: Services): Promise<void> {
  const { store, maps } = services;

  mapRoutes(app, services, {
    kind: 'replay',
    problems: ['not-recorded', 'replay-not-running'],
    editing:
      'While the replay runs it is done between two packets, and `before` says before which: given as `edits` to ' +
      'another replay, it is done there again. Afterwards it changes what is kept of the maps.',
    programs: async (id) => (await findReplay(services, id)).request,
    ask: maps.ask,
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/edits',
    schema: {
      tags: ['maps'],
      summary: 'Edits of maps that were asked for while the replay ran, and since',
      description: 'In the order in which they were done. Those that the request has are not among them.',
      params: UuidParams,
      querystring: PageQuery,
      response: { 200: pageOf(DoneEditSchema), ...problems('replay-not-found') },
    },
    handler: async ({ params: { id }, query: { limit, cursor } }) => {
      await findReplay(services, id);
      const { items, next } = await store.edits.list(id, limit ?? 50, cursor);
      return { items: items.map(doneEdit), next };
    },
  });
}
