import { ACCEPT_PROBLEMS, acceptReplay } from './accept.ts';
import type { App } from './app.ts';
import { NothingSchema, PageQuery, pageOf, problems, refTo } from './contract/common.ts';
import { Replay } from './contract/replays.ts';
import {
  StartSchema,
  Template,
  TemplateParams,
  type TemplateRecord,
  TemplateRequestSchema,
} from './contract/templates.ts';
import { Problem } from './problems.ts';
import { LARGEST_REQUEST } from './replays.ts';
import type { Services } from './services.ts';

const tags = ['templates'];

/** Requests of replays, kept under names, to be started with one capture after the other. */
export async function templates(app: App, services: Services): Promise<void> {
  const { store, exclusive } = services;
  const find = async (name: string) => {
    const record = await store.templates.get(name);
    if (record === undefined) throw new Problem('template-not-found', `there is no template ${name}`);
    return record;
  };

  app.route({
    method: 'PUT',
    url: '/templates/:name',
    bodyLimit: LARGEST_REQUEST,
    schema: {
      tags,
      summary: 'Keep the request of a replay under a name, or replace it',
      description: 'All that a replay takes but its capture. The program is looked for when a replay is started.',
      params: TemplateParams,
      body: TemplateRequestSchema,
      response: {
        200: refTo(Template, 'Replaced'),
        201: refTo(Template, 'Made'),
        ...problems('malformed-json', 'too-large', 'unsupported-media-type'),
      },
    },
    handler: ({ params: { name }, body }, reply) =>
      exclusive(async () => {
        const known = await store.templates.get(name);
        const now = new Date().toISOString();
        const record: TemplateRecord = {
          id: name,
          name,
          request: body,
          createdAt: known?.createdAt ?? now,
          updatedAt: now,
        };
        await store.templates.put(record);
        if (known === undefined) reply.code(201).header('location', `/v1/templates/${name}`);
        return shown(record);
      }),
  });

  app.route({
    method: 'GET',
    url: '/templates',
    schema: {
      tags,
      summary: 'List templates, oldest first',
      querystring: PageQuery,
      response: { 200: pageOf(refTo(Template)), ...problems() },
    },
    handler: async ({ query: { limit, cursor } }) => {
      const { items, next } = await store.templates.list(limit ?? 50, cursor);
      return { items: items.map(shown), next };
    },
  });

  app.route({
    method: 'GET',
    url: '/templates/:name',
    schema: {
      tags,
      summary: 'One template',
      params: TemplateParams,
      response: { 200: refTo(Template, 'As it is'), ...problems('template-not-found') },
    },
    handler: async ({ params: { name } }) => shown(await find(name)),
  });

  app.route({
    method: 'DELETE',
    url: '/templates/:name',
    schema: {
      tags,
      summary: 'Delete a template',
      description: 'Replays that were started from it stay.',
      params: TemplateParams,
      response: { 204: NothingSchema, ...problems('template-not-found') },
    },
    handler: async ({ params: { name } }, reply) => {
      await exclusive(async () => {
        await find(name);
        await store.templates.delete(name);
      });
      return reply.code(204).send(null);
    },
  });

  app.route({
    method: 'POST',
    url: '/templates/:name/replays',
    schema: {
      tags,
      summary: 'Replay a capture as a template says',
      params: TemplateParams,
      body: StartSchema,
      response: { 202: refTo(Replay, 'Accepted'), ...problems('template-not-found', ...ACCEPT_PROBLEMS) },
    },
    handler: async ({ params: { name }, body: { capture } }, reply) => {
      const { request } = await find(name);
      const record = await acceptReplay(services, { ...request, capture });
      reply.code(202).header('location', `/v1/replays/${record.id}`);
      return record;
    },
  });
}

function shown({ id: _, ...template }: TemplateRecord) {
  return template;
}
