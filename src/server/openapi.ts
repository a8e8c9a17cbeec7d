import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { App } from './app.ts';

/** The document is made of the routes' schemas: register before them. */
export async function openapi(app: App, version: string): Promise<void> {
  await app.register(swagger, {
    refResolver: { buildLocalReference: (schema, _base, _fragment, i) => String(schema.$id ?? `schema-${i}`) },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'bpfreplay',
        version,
        description: 'Replays packet captures through XDP and tc eBPF programs, without a kernel.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } as { name: string },
      },
      // Either: a daemon that has no tokens asks for none.
      security: [{ bearer: [] }, {}],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      tags: [
        { name: 'programs', description: 'eBPF objects, by the digest of their bytes' },
        { name: 'captures', description: 'pcap and pcapng files, by the digest of their bytes' },
        { name: 'replays', description: 'A capture through a program' },
        { name: 'maps', description: 'What the maps of a replay hold, while it runs and afterwards' },
        { name: 'templates', description: 'Requests of replays, to be started with other captures' },
        { name: 'streams', description: 'Live captures through a program' },
        { name: 'operation', description: 'For those who run the daemon' },
      ],
    },
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.route({
    method: 'GET',
    url: '/v1/openapi.json',
    schema: { hide: true },
    handler: async () => app.swagger(),
  });
}
