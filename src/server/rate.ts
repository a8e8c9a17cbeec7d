import type { FastifyInstance } from 'fastify';
import { Problem } from './problems.ts';

/** Clients that are remembered; beyond it those that rest are forgotten. */
const MOST_CLIENTS = 10_000;

/**
 * A bucket for each client, that holds a second's worth of requests and fills at that rate. Takes one out: returns the
 * seconds to wait, 0 when there was one. `now` is in milliseconds.
 */
export function createRateLimit(perSecond: number): (client: string, now: number) => number {
  const buckets = new Map<string, { left: number; at: number }>();
  const filled = ({ left, at }: { left: number; at: number }, now: number) =>
    Math.min(perSecond, left + ((now - at) / 1000) * perSecond);
  return (client, now) => {
    if (buckets.size > MOST_CLIENTS) {
      for (const [one, bucket] of buckets) if (filled(bucket, now) === perSecond) buckets.delete(one);
    }
    const bucket = buckets.get(client) ?? { left: perSecond, at: now };
    bucket.left = filled(bucket, now);
    bucket.at = now;
    buckets.set(client, bucket);
    if (bucket.left < 1) return (1 - bucket.left) / perSecond;
    bucket.left--;
    return 0;
  };
}

/** Refuses the requests of an address that asks more often than that. Call before the routes are made. */
export function limitRate(app: FastifyInstance, perSecond: number): void {
  const take = createRateLimit(perSecond);
  app.addHook('onRequest', async (request, reply) => {
    const wait = take(request.ip, performance.now());
    if (wait === 0) return;
    reply.header('retry-after', Math.ceil(wait));
    throw new Problem(
      'rate-limited',
      `more than ${perSecond} requests a second came from ${request.ip}; the daemon's option --rate raises it`,
      { limit: perSecond, option: '--rate' },
    );
  });
}
