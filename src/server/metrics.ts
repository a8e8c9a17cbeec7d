import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';
import type { App } from './app.ts';
import { streamed } from './contract/common.ts';
import type { Services } from './services.ts';

/** Of the defaults; against the rules for names that `promtool check metrics` holds. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary',
];

/** Prometheus reads sums that are kept anyway: nothing is counted here per packet. */
export async function metrics(app: App, { store, jobs, totals }: Services): Promise<void> {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);

  const byVerdict = (name: string, help: string, unit: 'packets' | 'bytes') =>
    new Counter({
      name,
      help,
      labelNames: ['program_type', 'verdict'],
      registers,
      collect() {
        this.reset();
        for (const [program_type, verdicts] of totals.verdicts) {
          for (const [verdict, count] of verdicts) this.inc({ program_type, verdict }, count[unit]);
        }
      },
    });
  byVerdict(
    'bpfreplay_packets_total',
    'Packets that ran, by what the program decided, of replays that ended',
    'packets',
  );
  byVerdict('bpfreplay_packet_bytes_total', 'Captured bytes of those packets', 'bytes');

  new Counter({
    name: 'bpfreplay_instructions_total',
    help: 'eBPF instructions executed by replays that ended',
    registers,
    collect() {
      this.reset();
      this.inc(totals.instructions);
    },
  });
  new Counter({
    name: 'bpfreplay_replays_total',
    help: 'Replays that ended, by how',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset();
      for (const [state, count] of totals.replays) this.inc({ state }, count);
    },
  });

  const gauges: readonly (readonly [name: string, help: string, value: () => number | Promise<number>])[] = [
    ['bpfreplay_replays_queued', 'Replays that wait', () => jobs.queue.waiting],
    ['bpfreplay_replays_running', 'Replays that run', () => jobs.queue.running],
    ['bpfreplay_programs', 'Programs held', () => store.programs.count()],
    ['bpfreplay_captures', 'Captures held', () => store.captures.count()],
  ];
  for (const [name, help, value] of gauges) {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await value());
      },
    });
  }

  const requests = new Histogram({
    name: 'bpfreplay_http_request_duration_seconds',
    help: 'Time from request to answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120],
    registers,
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    requests.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000);
  });

  app.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      tags: ['operation'],
      summary: 'Figures for Prometheus',
      response: { 200: streamed('text/plain', 'Prometheus text format') },
    },
    handler: async (_, reply) => {
      const text = await registry.metrics();
      return reply.type(registry.contentType).send(text);
    },
  });
}
