import { type Counter, collectDefaultMetrics, Registry } from '@prometheus-io/client';
import type { App } from './app.ts';
import { streamed } from './contract/common.ts';
import type { StatsRecord } from './contract/stats.ts';
import { type Figures, lasting } from './figures.ts';
import type { Durations } from './histogram.ts';

/** Of the defaults; against the rules for names that `promtool check metrics` holds. */
const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary',
];

/** How old the text may be, in milliseconds: to write it takes a while, and many may ask at once. */
const TEXT_AGE = 250;

type Labels = Readonly<Record<string, string | number>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** Where it is not the metric's own: `_bucket`, `_sum` and `_count` of a histogram. */
  readonly metricName?: string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: (stats: StatsRecord) => readonly Sample[];
}

const counter = (name: string, help: string, samples: Metric['samples']): Metric => ({
  name,
  help,
  type: 'counter',
  samples,
});
const sum = (name: string, help: string, value: (stats: StatsRecord) => number): Metric =>
  counter(name, help, (stats) => [{ labels: {}, value: value(stats) }]);
const gauge = (name: string, help: string, value: (stats: StatsRecord) => number): Metric => ({
  name,
  help,
  type: 'gauge',
  samples: (stats) => [{ labels: {}, value: value(stats) }],
});
/** A gauge with a label. */
const gauges = (name: string, help: string, samples: Metric['samples']): Metric => ({
  name,
  help,
  type: 'gauge',
  samples,
});
const histogram = (
  name: string,
  help: string,
  read: (stats: StatsRecord) => readonly (readonly [Labels, Durations])[],
): Metric => ({
  name,
  help,
  type: 'histogram',
  samples: (stats) => read(stats).flatMap(([labels, durations]) => bucketSamples(name, labels, durations)),
});

function bucketSamples(name: string, labels: Labels, { buckets, sum, count }: Durations): Sample[] {
  return [
    ...[...buckets, { le: '+Inf', count }].map(({ le, count }) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le },
      value: count,
    })),
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}

const by = (label: string, values: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
const each = <T>(of: Readonly<Record<string, T>>, value: (one: T) => number) =>
  Object.fromEntries(Object.entries(of).map(([key, one]) => [key, value(one)]));

const decided = (verdicts: StatsRecord['verdicts'], unit: 'packets' | 'bytes'): Sample[] =>
  verdicts.map(({ program, type, verdict, [unit]: value }) => ({
    labels: { program, program_type: type, verdict },
    value,
  }));

/** Every figure of ours. Labels are names that are few: no id of a program, capture or replay. */
const METRICS: readonly Metric[] = [
  counter('bpfreplay_packets_total', 'Packets that ran, by program and what it decided, of replays that ended', (s) =>
    decided(s.verdicts, 'packets'),
  ),
  counter('bpfreplay_packet_bytes_total', 'Captured bytes of those packets', (s) => decided(s.verdicts, 'bytes')),
  counter('bpfreplay_interface_packets_total', 'Packets that ran, by interface, of replays that ended', (s) =>
    s.interfaces.map(({ packets: value, interface: name }) => ({ labels: { interface: name }, value })),
  ),
  counter('bpfreplay_interface_bytes_total', 'Captured bytes of those packets', (s) =>
    s.interfaces.map(({ bytes: value, interface: name }) => ({ labels: { interface: name }, value })),
  ),
  sum(
    'bpfreplay_instructions_total',
    'eBPF instructions executed by replays that ended',
    (s) => s.replays.instructions,
  ),
  sum(
    'bpfreplay_replayed_packets_total',
    'Packets read by replays that run or ended, however they did',
    (s) => s.replays.packets,
  ),
  gauge(
    'bpfreplay_replay_packets_per_second',
    'Packets that replays read a second, of late',
    (s) => s.replays.packetsPerSecond,
  ),
  counter('bpfreplay_replays_total', 'Replays that ended, by how', (s) => by('state', s.replays.ended)),
  gauge('bpfreplay_replays_queued', 'Replays that wait', (s) => s.replays.queued),
  gauge('bpfreplay_replays_running', 'Replays that run', (s) => s.replays.running),
  gauge('bpfreplay_workers', 'Replays that may run at once', (s) => s.replays.workers),
  gauge(
    'bpfreplay_worker_memory_bytes',
    'Linear memory of replays that run: maps, packets, stacks',
    (s) => s.replays.memoryBytes,
  ),
  histogram('bpfreplay_replay_wait_seconds', 'Time that replays waited', (s) => [[{}, s.replays.wait]]),
  histogram('bpfreplay_replay_duration_seconds', 'Time that replays ran, by how they ended', (s) =>
    Object.entries(s.replays.duration).map(([state, durations]) => [{ state }, durations]),
  ),
  gauge('bpfreplay_streams_running', 'Streams that run', (s) => s.streams.running),
  counter('bpfreplay_stream_packets_total', 'Packets that ran in streams, by program and what it decided', (s) =>
    decided(s.streams.verdicts, 'packets'),
  ),
  counter('bpfreplay_stream_packet_bytes_total', 'Captured bytes of those packets', (s) =>
    decided(s.streams.verdicts, 'bytes'),
  ),
  sum('bpfreplay_stream_read_packets_total', 'Packets that streams read, skipped ones too', (s) => s.streams.packets),
  sum('bpfreplay_stream_received_bytes_total', 'Bytes of captures that came to streams', (s) => s.streams.bytes),
  sum('bpfreplay_stream_dropped_packets_total', 'Packets that sources of streams lost', (s) => s.streams.dropped),
  sum('bpfreplay_stream_connections_total', 'Captures that streams began to read', (s) => s.streams.connections),
  sum('bpfreplay_stream_failed_connections_total', 'Captures that were bad, or were cut', (s) => s.streams.failed),
  sum('bpfreplay_stream_refused_connections_total', 'Senders that were turned away', (s) => s.streams.refused),
  gauge(
    'bpfreplay_stream_memory_bytes',
    'Linear memory of streams that run: maps, packets, stacks',
    (s) => s.streams.memoryBytes,
  ),
  histogram('bpfreplay_verification_duration_seconds', 'Time to load an object and verify its programs', (s) => [
    [{}, s.verification],
  ]),
  gauge('bpfreplay_programs', 'Programs held', (s) => s.data.programs),
  gauge('bpfreplay_captures', 'Captures held', (s) => s.data.captures),
  gauge('bpfreplay_replays', 'Replays held, ended or not', (s) => s.data.replays),
  gauges('bpfreplay_data_bytes', 'Bytes on disk, by kind of file', (s) =>
    by(
      'kind',
      each(s.data.files, ({ bytes }) => bytes),
    ),
  ),
  gauges('bpfreplay_data_free_bytes', 'Bytes free on the disk of the data directory', (s) =>
    s.data.freeBytes === null ? [] : [{ labels: {}, value: s.data.freeBytes }],
  ),
  counter('bpfreplay_retention_removed_total', 'What retention removed, by kind', (s) =>
    by(
      'kind',
      each(s.data.removed, ({ files }) => files),
    ),
  ),
  counter('bpfreplay_retention_removed_bytes_total', 'Bytes that retention removed, by kind', (s) =>
    by(
      'kind',
      each(s.data.removed, ({ bytes }) => bytes),
    ),
  ),
  histogram('bpfreplay_http_request_duration_seconds', 'Time from request to answer', (s) =>
    s.requests.map(({ duration, ...labels }) => [labels, duration]),
  ),
];

/** What Prometheus reads. */
export async function metrics(app: App, figures: Figures): Promise<void> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  let stats: StatsRecord;
  for (const { name, help, type, samples } of METRICS) {
    // What the registry asks of a metric is its name, and `get`.
    const metric = { name, get: async () => ({ name, help, type, values: samples(stats) }) };
    registry.registerMetric(metric as unknown as Counter);
  }
  const text = lasting(TEXT_AGE, async () => {
    stats = await figures();
    // Bytes: a string would be made into them for each who asks.
    return Buffer.from(await registry.metrics());
  });
  app.route({
    method: 'GET',
    url: '/metrics',
    schema: {
      tags: ['operation'],
      summary: 'Figures for Prometheus',
      response: { 200: streamed('text/plain', 'Prometheus text format') },
    },
    handler: async (_, reply) => reply.type(registry.contentType).send(await text()),
  });
}
