import type { OutgoingHttpHeaders } from 'node:http';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/** The daemon speaks plain HTTP; a browser that is told to upgrade would not find the documentation's parts. */
const POLICY = {
  strictTransportSecurity: false,
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
} as const;

/** Sends what helmet has to say with every answer. It is the same each time, and asked for once. */
export async function sendSecurityHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, { ...POLICY, global: false });
  let headers: OutgoingHttpHeaders | undefined;
  app.addHook('onRequest', (_, reply, done) => {
    if (headers === undefined) {
      reply.helmet();
      headers = { ...reply.raw.getHeaders() };
    } else reply.headers(headers);
    done();
  });
}
