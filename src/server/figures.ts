import type { App } from './app.ts';
import type { StatsRecord } from './contract/stats.ts';
import { createHistogram, type Durations, type Histogram } from './histogram.ts';
import type { Services } from './services.ts';

/** What is known of the daemon at this moment, which `/metrics` and `/v1/stats` show. Nothing is counted per packet. */
export type Figures = () => Promise<StatsRecord>;

/** How old the figures may be, in milliseconds: many may ask at once. */
const FIGURES_AGE = 100;
/** How old the count of what lies on disk may be, in milliseconds: every file is looked at. */
const USAGE_AGE = 10_000;

/** Counts requests from here on: call before the routes are made. */
export function createFigures(app: App, { store, files, jobs, streams, totals, limits }: Services): Figures {
  const requests = countRequests(app);
  const disk = lasting(USAGE_AGE, async () => ({ files: await files.usage(), freeBytes: await files.free() }));
  return lasting(FIGURES_AGE, async () => {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const [programs, captures, replays] = await Promise.all(
      [store.programs, store.captures, store.replays].map((collection) => collection.count()),
    );
    return {
      since: totals.since.toISOString(),
      replays: {
        queued: jobs.queue.waiting,
        running: jobs.queue.running,
        workers: limits.workers,
        ended: Object.fromEntries(totals.replays),
        wait: totals.waits.read(),
        duration: Object.fromEntries([...totals.runs].map(([state, runs]) => [state, runs.read()])),
        packets: totals.packets,
        packetsPerSecond: totals.rate(),
        instructions: totals.instructions,
        memoryBytes: totals.memory,
      },
      verdicts: [...totals.decided],
      streams: {
        running: streams.running,
        connections: streams.totals.connections,
        failed: streams.totals.failed,
        refused: streams.totals.refused,
        bytes: streams.totals.bytes,
        packets: streams.totals.packets,
        dropped: streams.totals.dropped,
        memoryBytes: streams.memory,
        verdicts: [...streams.totals.decided],
      },
      interfaces: [...totals.interfaces].map(([name, count]) => ({ interface: name, ...count })),
      verification: totals.verifications.read(),
      data: {
        programs: programs!,
        captures: captures!,
        replays: replays!,
        ...(await disk()),
        removed: Object.fromEntries(totals.removed),
      },
      requests: requests(),
      process: {
        uptimeSeconds: process.uptime(),
        cpuSeconds: (user + system) / 1e6,
        residentBytes: rss,
        heapBytes: heapUsed,
      },
    };
  });
}

const REQUEST_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120];

function countRequests(app: App): () => StatsRecord['requests'] {
  const seen = new Map<string, { method: string; route: string; status: number; histogram: Histogram }>();
  app.addHook(
    'onResponse',
    ({ method, routeOptions: { url: route = 'none' } }, { statusCode: status, elapsedTime }, done) => {
      const key = `${method} ${route} ${status}`;
      const one = seen.get(key) ?? { method, route, status, histogram: createHistogram(REQUEST_SECONDS) };
      seen.set(key, one);
      one.histogram.observe(elapsedTime / 1000);
      done();
    },
  );
  return () =>
    [...seen.values()].map(({ histogram, ...of }): StatsRecord['requests'][number] => ({
      ...of,
      duration: histogram.read() satisfies Durations,
    }));
}

/** Asks anew only when what was answered is older than `age`, in milliseconds. */
export function lasting<T>(age: number, ask: () => Promise<T>): () => Promise<T> {
  let asked = Number.NEGATIVE_INFINITY;
  let answer: Promise<T>;
  return () => {
    if (performance.now() - asked > age) {
      asked = performance.now();
      answer = ask();
    }
    return answer;
  };
}
