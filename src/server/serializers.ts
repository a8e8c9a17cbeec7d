import type { FastifyInstance } from 'fastify';

type Serializer = (data: unknown) => string;

/**
 * Makes each serializer when an answer first needs it, once for all routes that answer alike. Fastify would make one for
 * every status of every route before it listens: most of the time that a daemon takes to start, and for nothing where
 * the answer is a problem, which passes by them. Call before the routes are made.
 */
export function serializeWhenNeeded(app: FastifyInstance): void {
  const made = new Map<string, Serializer>();
  let isFirst = true;
  app.addHook('onRoute', (route) => {
    if (route.schema?.response === undefined) return;
    // Left to fastify, whose compiler is there when it has done one route.
    if (isFirst) {
      isFirst = false;
      return;
    }
    route.serializerCompiler = (part) => {
      let serializer: Serializer | undefined;
      return (data) => {
        serializer ??= known(JSON.stringify(part.schema), () => app.serializerCompiler!(part));
        return serializer(data);
      };
    };
  });

  function known(key: string, make: () => Serializer): Serializer {
    const found = made.get(key) ?? make();
    made.set(key, found);
    return found;
  }
}
