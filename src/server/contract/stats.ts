import { type Static, Type } from 'typebox';
import { Counts, nullable, strict, Time } from './common.ts';

const Durations = strict(
  {
    count: Type.Integer(),
    sum: Type.Number({ description: 'Seconds, all together' }),
    buckets: Type.Array(strict({ le: Type.Number({ description: 'Seconds' }), count: Type.Integer() }), {
      description: 'How many took so long or less',
    }),
  },
  { $id: 'Durations' },
);
const DurationsRef = Type.Unsafe<Static<typeof Durations>>({ $ref: 'Durations#' });

const Held = strict({ files: Type.Integer(), bytes: Type.Integer() });
const Decided = { verdict: Type.String(), packets: Type.Integer(), bytes: Type.Integer() };

export const Stats = strict(
  {
    since: Time,
    replays: strict({
      queued: Type.Integer(),
      running: Type.Integer(),
      workers: Type.Integer({ description: 'Replays that may run at once' }),
      ended: Counts,
      wait: DurationsRef,
      duration: Type.Record(Type.String(), DurationsRef, { description: 'By the state in which they ended' }),
      packets: Type.Integer({ description: 'Of those that run, and of those that ended, however they did' }),
      packetsPerSecond: Type.Number({ description: 'Over the last seconds' }),
      instructions: Type.Integer({ description: 'Of those that ended' }),
      memoryBytes: Type.Integer({ description: 'Linear memory of those that run: maps, packets, stacks' }),
    }),
    verdicts: Type.Array(strict({ program: Type.String(), type: Type.String(), ...Decided }), {
      description: 'What programs of this name decided, in replays that ended',
    }),
    streams: strict(
      {
        running: Type.Integer(),
        connections: Type.Integer({ description: 'Captures that were begun' }),
        failed: Type.Integer({ description: 'Captures that were bad, or were cut off' }),
        refused: Type.Integer({ description: 'Connections that were turned away' }),
        bytes: Type.Integer({ description: 'That came' }),
        packets: Type.Integer({ description: 'That were read, skipped ones too' }),
        dropped: Type.Integer({ description: 'Packets that sources lost, as they say' }),
        memoryBytes: Type.Integer({ description: 'Linear memory of those that run: maps, packets, stacks' }),
        verdicts: Type.Array(strict({ program: Type.String(), type: Type.String(), ...Decided }), {
          description: 'What programs of this name decided',
        }),
      },
      { description: 'Live ones, over all that ran' },
    ),
    interfaces: Type.Array(strict({ interface: Type.String(), packets: Type.Integer(), bytes: Type.Integer() }), {
      description: 'What came in on interfaces of this name in their captures, in replays that ended',
    }),
    verification: DurationsRef,
    data: strict({
      programs: Type.Integer(),
      captures: Type.Integer(),
      replays: Type.Integer(),
      files: Type.Record(Type.String(), Held, { description: 'On disk, by kind; counted every few seconds' }),
      freeBytes: nullable(Type.Integer({ description: 'On the disk of the data directory' })),
      removed: Type.Record(Type.String(), Held, { description: 'By retention, by kind' }),
    }),
    requests: Type.Array(
      strict({ method: Type.String(), route: Type.String(), status: Type.Integer(), duration: DurationsRef }),
    ),
    process: strict({
      uptimeSeconds: Type.Number(),
      cpuSeconds: Type.Number(),
      residentBytes: Type.Integer(),
      heapBytes: Type.Integer(),
    }),
  },
  { $id: 'Stats', description: 'Sums run from `since`, over all replays that ended, deleted ones too' },
);

export type StatsRecord = Static<typeof Stats>;
export const statsComponents = [Durations, Stats] as const;
