import { Type } from 'typebox';
import type { App } from './app.ts';
import { Name, problems, refTo, strict, upload } from './contract/common.ts';
import { Program, type ProgramRecord } from './contract/programs.ts';
import { inspectFile } from './inspection.ts';
import { recordRoutes } from './records.ts';
import type { Services } from './services.ts';
import { acceptUploads, receiveUpload, UPLOAD_PROBLEMS } from './uploads.ts';

const MEDIA_TYPES = ['application/octet-stream', 'application/x-elf', 'application/x-object'];
const tags = ['programs'];

export async function programs(app: App, services: Services): Promise<void> {
  const { store, files, limits, exclusive } = services;
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
        ...problems(...UPLOAD_PROBLEMS, 'bad-object'),
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

  recordRoutes(app, services, {
    kind: 'program',
    schema: Program,
    collection: store.programs,
    shows: 'the verdicts of the verifier',
  });
}
