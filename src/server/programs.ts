import { Type } from 'typebox';
import type { App } from './app.ts';
import {
  DigestParams,
  Name,
  NothingSchema,
  PageQuery,
  pageOf,
  problems,
  refTo,
  strict,
  upload,
} from './contract/common.ts';
import { Program, type ProgramRecord } from './contract/programs.ts';
import { inspectFile } from './inspection.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';
import { acceptUploads, receiveUpload } from './uploads.ts';

const MEDIA_TYPES = ['application/octet-stream', 'application/x-elf', 'application/x-object'];
const tags = ['programs'];

export async function programs(app: App, { store, files, limits, exclusive }: Services): Promise<void> {
  await acceptUploads(app, MEDIA_TYPES);

  app.route({
    method: 'POST',
    url: '/programs',
    schema: {
      tags,
      summary: 'Submit an eBPF object',
      description: 'The same bytes are the same program: the answer is then 200, and the name stays as it was.',
      querystring: strict({ name: Type.Optional(Name) }),
      body: upload(MEDIA_TYPES, 'object'),
      response: {
        200: refTo(Program, 'As it is'),
        201: refTo(Program, 'Made'),
        ...problems(
          'no-body',
          'upload-cut',
          'malformed-multipart',
          'too-large',
          'unsupported-media-type',
          'bad-object',
          'no-space',
        ),
      },
    },
    handler: async (request, reply) => {
      const { name: byQuery } = request.query;
      const { received, name } = await receiveUpload(request, files, {
        field: 'object',
        limit: limits.object,
        name: byQuery,
      });
      try {
        const found = await inspectFile(received.path);
        return await exclusive(async () => {
          await files.keep(received, 'program');
          const known = await store.programs.get(received.digest);
          if (known !== undefined) return known;
          const { digest: id, size } = received;
          const record: ProgramRecord = { id, name, size, createdAt: new Date().toISOString(), ...found };
          await store.programs.put(record);
          reply.code(201).header('location', `/v1/programs/${id}`);
          return record;
        });
      } finally {
        await files.discard(received);
      }
    },
  });

  app.route({
    method: 'GET',
    url: '/programs',
    schema: {
      tags,
      summary: 'List programs, oldest first',
      querystring: PageQuery,
      response: { 200: pageOf(refTo(Program)), ...problems() },
    },
    handler: ({ query: { limit, cursor } }) => store.programs.list(limit ?? 50, cursor),
  });

  app.route({
    method: 'GET',
    url: '/programs/:id',
    schema: {
      tags,
      summary: 'One program with the verdicts of the verifier',
      params: DigestParams,
      response: { 200: refTo(Program, 'As it is'), ...problems('program-not-found') },
    },
    handler: async ({ params: { id } }) => (await store.programs.get(id)) ?? notFound(id),
  });

  app.route({
    method: 'DELETE',
    url: '/programs/:id',
    schema: {
      tags,
      summary: 'Delete a program',
      params: DigestParams,
      response: { 204: NothingSchema, ...problems('program-not-found', 'in-use') },
    },
    handler: async ({ params: { id } }, reply) => {
      await exclusive(async () => {
        if ((await store.programs.get(id)) === undefined) notFound(id);
        if (await store.isInUse(id)) throw new Problem('in-use', `a replay that has not finished runs program ${id}`);
        await store.programs.delete(id);
        await files.remove('program', id);
      });
      return reply.code(204).send(null);
    },
  });
}

function notFound(id: string): never {
  throw new Problem('program-not-found', `no program has the id ${id}`);
}
