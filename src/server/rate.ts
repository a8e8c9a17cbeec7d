import type { FastifyInstance } from 'fastify';
import { Problem } from './problems.ts';

/** A bucket that rests is full after a second: then it is as if its client had never been. In milliseconds. */
const SWEEP = 1_000;

/**
 * A bucket for each client, that holds a second's worth of requests and fills at that rate. Takes one out: returns the
 * seconds to wait, 0 when there was one. `now` is in milliseconds.
 */
export function createRateLimit(perSecond: number): (client: string, now: number) => number {
  const buckets = new Map<string, { left: number; at: number }>();
  let swept = 0;
  const filled = ({ left, at }: { left: number; at: number }, now: number) =>
    Math.min(perSecond, left + ((now - at) / 1000) * perSecond);
  return (client, now) => {
    if (now - swept >= SWEEP) {
      swept = now;
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

/** Refuses the requests of an address that asks more often than that; 0 is no bound. Call before the routes are made. */
export function limitRate(app: FastifyInstance, perSecond: number): void {
  if (perSecond === 0) return;
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
