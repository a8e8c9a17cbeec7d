import { Type } from 'typebox';
import { catalogue } from '../index.ts';
import type { App } from './app.ts';
import { DigestParams, Name, problems, refTo, streamed, strict, upload } from './contract/common.ts';
import { DisassembledSchema, Program, type ProgramRecord } from './contract/programs.ts';
import { assemblyTypeOf, findEntry } from './entries.ts';
import { disassembleFile, inspectFile } from './inspection.ts';
import { Problem } from './problems.ts';
import { recordRoutes } from './records.ts';
import type { Services } from './services.ts';
import { acceptUploads, receiveUpload, UPLOAD_PROBLEMS } from './uploads.ts';

const ASSEMBLY = 'text/x-bpf-assembly';
const MEDIA_TYPES = [
  'application/octet-stream',
  'application/x-elf',
  'application/x-object',
  ASSEMBLY,
  'text/x-bpf-classic',
];
const tags = ['programs'];
const AssemblyType = Type.Enum([...catalogue.programTypes.keys()], { description: "Of assembly: libbpf's name" });

export async function programs(app: App, services: Services): Promise<void> {
  const { store, files, limits, exclusive, totals } = services;
  await acceptUploads(app, MEDIA_TYPES);

  app.route({
    method: 'POST',
    url: '/programs',
    schema: {
      tags,
      summary: 'Submit an eBPF object, assembly text, or classic BPF',
      description:
        'The same bytes are the same program: the answer is then 200, and the name stays as it was. Of assembly text ' +
        '(`text/x-bpf-assembly`, in the syntax of the kernel) `type` says what it is; classic BPF ' +
        '(`text/x-bpf-classic`) is as `tcpdump -ddd` prints it. A program that the verifier refuses is kept with its ' +
        'report, and cannot be replayed.',
      querystring: strict({
        name: Type.Optional(Name),
        type: Type.Optional(AssemblyType),
      }),
      body: upload(MEDIA_TYPES, 'object'),
      response: {
        200: refTo(Program, 'As it is'),
        201: refTo(Program, 'Made'),
        ...problems(...UPLOAD_PROBLEMS, 'bad-request', 'bad-object'),
      },
    },
    handler: async (request, reply) => {
      const { name: byQuery, type } = request.query;
      const { received, name } = await receiveUpload(request, files, {
        field: 'object',
        limit: limits.object,
        name: byQuery,
        prefix: (mediaType) => prefixOf(mediaType, type),
      });
      try {
        const { found, seconds } = await inspectFile(received.path, type);
        totals.verifications.observe(seconds);
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

  const find = recordRoutes(app, services, {
    kind: 'program',
    schema: Program,
    collection: store.programs,
    shows: 'the verdicts of the verifier',
    filters: {
      type: Type.Optional(Type.String({ minLength: 1, description: 'Type of a program in it' })),
      verdict: Type.Optional(Type.Enum(['accept', 'reject'], { description: 'Of such a program' })),
    },
    matches: ({ programs }, { type, verdict }) =>
      (type === undefined && verdict === undefined) ||
      programs.some((each) => (type ?? each.type) === each.type && (verdict ?? each.verdict) === each.verdict),
  });

  app.route({
    method: 'GET',
    url: '/programs/:id/disassembly',
    schema: {
      tags,
      summary: 'Instructions with their source lines, one JSON line each',
      querystring: strict({
        program: Type.Optional(Type.String({ minLength: 1, description: 'Unless told: `entry`' })),
      }),
      params: DigestParams,
      response: {
        200: streamed('application/x-ndjson', 'In the syntax of the kernel', DisassembledSchema),
        ...problems('program-not-found', 'unknown-entry', 'bad-object'),
      },
    },
    handler: async ({ params: { id }, query }, reply) => {
      const program = await find(id);
      const { name } = findEntry(program, query.program);
      await (await files.open('program', id)).close();
      const lines = await disassembleFile(files.path('program', id), name, assemblyTypeOf(program));
      return reply.type('application/x-ndjson').send(lines);
    },
  });
}

/** The same text is another program when it is of another type. */
function prefixOf(mediaType: string, type: string | undefined): string {
  if (mediaType === ASSEMBLY) {
    if (type !== undefined) return `${type}\n`;
    throw new Problem('bad-request', 'assembly text does not say what it is: add ?type=, such as ?type=xdp');
  }
  if (type === undefined) return '';
  throw new Problem('bad-request', `type is for ${ASSEMBLY} only; a replay can name another for an object`);
}
