import fastify from 'fastify';
import { Type } from 'typebox';
import { expect, it } from 'vitest';
import { serializeWhenNeeded } from './serializers.ts';

it('each route answers by its own schema, in every scope, and by components', async () => {
  const app = fastify();
  app.addSchema(Type.Object({ name: Type.String() }, { $id: 'Named' }));
  serializeWhenNeeded(app);
  const route = (url: string, schema: object) => ({
    method: 'GET' as const,
    url,
    schema: { response: { 200: schema } },
    handler: async () => ({ name: 'x', size: 5, secret: 's' }),
  });
  app.route(route('/first', Type.Object({ size: Type.Integer() })));
  app.route(route('/named', { $ref: 'Named#' }));
  await app.register(async (scope) => {
    scope.route(route('/scoped', { $ref: 'Named#' }));
    scope.route(route('/sized', Type.Object({ size: Type.Integer() })));
  });
  const answers = await Promise.all(['/first', '/named', '/scoped', '/sized'].map((url) => app.inject(url)));
  expect(answers.map(({ body }) => body)).toEqual(['{"size":5}', '{"name":"x"}', '{"name":"x"}', '{"size":5}']);
  await app.close();
});
