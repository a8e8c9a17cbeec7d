import { type Static, Type } from 'typebox';
import { Counts, Digest, Nanoseconds, nullable, strict, Time, Uuid } from './common.ts';

const MapInitSchema = Type.Record(
  Type.String(),
  Type.Array(
    strict({
      key: Type.String({ description: 'Hex, in memory order' }),
      value: Type.Union([Type.String(), Type.Array(Type.String())], {
        description: 'Hex; one for each CPU; `program:NAME` in a prog_array; `map:NAME` in a map of maps',
      }),
    }),
  ),
  { description: 'Entries that the maps hold before the first packet, by map' },
);

export const ReplayRequestSchema = strict({
  program: Digest,
  capture: Digest,
  entry: Type.Optional(Type.String({ minLength: 1, description: 'Program of the object to run' })),
  type: Type.Optional(Type.String({ description: 'Program type by the name that libbpf gives it' })),
  cpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
  seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })),
  clock: Type.Optional(Type.Enum(['capture', 'wall'])),
  ifindex: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })),
  mapInit: Type.Optional(MapInitSchema),
  budget: Type.Optional(Type.Integer({ minimum: 1, description: 'Instructions that one packet may take' })),
  maxMemory: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 32, description: 'Bytes for maps and packets' })),
  maps: Type.Optional(Type.Boolean({ description: 'Keep the final contents of the maps' })),
  packets: Type.Optional(Type.Boolean({ description: 'Keep a record of each packet' })),
});

const Count = strict({ packets: Type.Integer(), bytes: Type.Integer() });

export const TallySchema = strict({
  program: Type.String(),
  type: Type.String(),
  packets: Type.Integer({ description: 'That ran' }),
  bytes: Type.Integer(),
  verdicts: Type.Record(Type.String(), Count),
  skipped: Counts,
  headerAdded: Counts,
  errors: Type.Record(
    Type.String(),
    strict({ packets: Type.Integer(), firstPacket: Type.Integer(), message: Type.String() }),
  ),
  redirects: Type.Record(Type.String(), Count),
  events: Counts,
  traces: Type.Integer(),
  firstTime: nullable(Nanoseconds),
  lastTime: nullable(Nanoseconds),
  instructions: Type.Integer(),
  captureError: nullable(strict({ code: Type.String(), message: Type.String(), offset: Type.Integer() })),
});

const REPLAY_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;

export const Replay = strict(
  {
    id: Uuid,
    state: Type.Enum([...REPLAY_STATES]),
    request: ReplayRequestSchema,
    createdAt: Time,
    startedAt: nullable(Time),
    finishedAt: nullable(Time),
    progress: strict({
      packets: Type.Integer(),
      bytesRead: Type.Integer(),
      bytesTotal: Type.Integer({ description: 'Size of the capture' }),
    }),
    tally: nullable(TallySchema),
    error: nullable(
      strict({
        name: Type.String({
          description: '`LoadError`, `OptionError`, `ProgramRefused`, `LimitExceeded`, `SystemError`, `InternalError`',
        }),
        code: Type.String(),
        message: Type.String(),
      }),
    ),
  },
  { $id: 'Replay' },
);

export type ReplayRecord = Static<typeof Replay>;
export type ReplayState = ReplayRecord['state'];
export type NewReplay = Static<typeof ReplayRequestSchema>;

/** In order: `queued` and `running` have not finished. */
export function isFinished(state: ReplayState): boolean {
  return state !== 'queued' && state !== 'running';
}
