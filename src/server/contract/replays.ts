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

const PrintedSchema = Type.Optional(Type.Array(Type.Record(Type.String(), Type.Unknown())));

const NetworkSchema = strict(
  {
    links: PrintedSchema,
    addresses: PrintedSchema,
    routes: PrintedSchema,
    rules: PrintedSchema,
    rules6: PrintedSchema,
    neighbours: PrintedSchema,
    netconf: PrintedSchema,
  },
  { description: 'Interfaces, routes and neighbours of the host, as `ip -j` prints them' },
);

const UpdateMode = Type.Enum(['any', 'noexist', 'exist'], {
  description: '`BPF_ANY`, `BPF_NOEXIST` (only where there is no such entry) or `BPF_EXIST` (only where there is one)',
});

/** An edit of a map as a journal holds it. */
const EditMembers = {
  map: Type.String({ minLength: 1 }),
  key: Type.String({ description: 'Hex, in memory order' }),
  value: nullable(Type.Union([Type.String(), Type.Array(Type.String())], { description: 'As in `mapInit`' })),
  mode: UpdateMode,
};

const ScheduledEditSchema = strict(
  {
    ...EditMembers,
    before: Type.Integer({ minimum: 0, description: 'Index in the capture of the packet before which it is done' }),
    mode: Type.Optional(UpdateMode),
  },
  { description: 'A `value` of null deletes the entry' },
);

const StopSchema = strict(
  {
    packets: Type.Optional(Type.Integer({ minimum: 1, description: 'After so many packets of the capture' })),
    bytes: Type.Optional(Type.Integer({ minimum: 1, description: 'With the packet that makes it so many bytes' })),
    seconds: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'Before the first packet captured so long after the first one' }),
    ),
    wallSeconds: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Once it has run for so long' })),
    error: Type.Optional(Type.Boolean({ description: 'With the first packet whose run ends in an error' })),
    verdict: Type.Optional(Type.String({ minLength: 1, description: 'With the first packet of this verdict' })),
  },
  { description: 'What ends the replay before its capture does, whichever comes first' },
);

/** What an instance of a program is made of. */
const instanceMembers = {
  program: Digest,
  entry: Type.Optional(Type.String({ minLength: 1, description: 'Program of the object to run' })),
  type: Type.Optional(Type.String({ description: 'Program type by the name that libbpf gives it' })),
  engine: Type.Optional(
    Type.Enum(['interpreter', 'jit'], { description: 'What runs the program; the answers are the same' }),
  ),
  cpus: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
  seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 })),
  clock: Type.Optional(Type.Enum(['capture', 'wall'])),
  ifindex: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1 })),
  mapInit: Type.Optional(MapInitSchema),
  network: Type.Optional(NetworkSchema),
  budget: Type.Optional(Type.Integer({ minimum: 1, description: 'Instructions that one packet may take' })),
  maxMemory: Type.Optional(Type.Integer({ minimum: 1, maximum: 2 ** 32, description: 'Bytes for maps and packets' })),
};

const StageSchema = strict({
  hook: Type.Enum(['xdp', 'tc-ingress', 'tc-egress'], { description: 'Where it stands' }),
  program: Digest,
  entry: instanceMembers.entry,
  type: instanceMembers.type,
  ifindex: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 2 ** 31 - 1,
      description: 'The interface whose packets it sees; all unless told',
    }),
  ),
});

/** What packets run through: a program, or several. */
export const subjectMembers = {
  ...instanceMembers,
  pipeline: Type.Optional(
    Type.Array(StageSchema, {
      minItems: 1,
      maxItems: 64,
      description:
        'Programs that stand behind the first on the same host: what XDP passes meets `tc-ingress`, what that redirects ' +
        'meets `tc-egress`. Maps that objects pin by name are one map; a second one of the same name is `NAME@PROGRAM`. ' +
        'The verdicts of the tally are then what became of packets in the end: `stack`, `drop`, `transmit` …',
    }),
  ),
  tcEgressAfterXdp: Type.Optional(
    Type.Boolean({ description: 'Send what XDP transmits or redirects through `tc-egress` too, which Linux does not' }),
  ),
};

/** What a replay takes beside its capture. */
export const replayMembers = {
  ...subjectMembers,
  stop: Type.Optional(StopSchema),
  edits: Type.Optional(
    Type.Array(ScheduledEditSchema, { maxItems: 100_000, description: 'Edits of maps, done between packets' }),
  ),
  maps: Type.Optional(Type.Boolean({ description: 'Keep the final contents of the maps' })),
  packets: Type.Optional(Type.Boolean({ description: 'Keep a record of each packet' })),
  output: Type.Optional(Type.Boolean({ description: 'Keep the packets as they left, as pcapng' })),
};

export const ReplayRequestSchema = strict({ ...replayMembers, capture: Digest });

const Count = strict({ packets: Type.Integer(), bytes: Type.Integer() });

/** What each program of a pipeline did. */
export const StageTallies = Type.Array(
  strict({
    hook: StageSchema.properties.hook,
    ifindex: nullable(Type.Integer()),
    program: Type.String(),
    type: Type.String(),
    packets: Type.Integer(),
    verdicts: Counts,
  }),
  { description: 'What each program of a pipeline did' },
);

export const TallySchema = strict({
  program: Type.String(),
  type: Type.String(),
  packets: Type.Integer({ description: 'That ran' }),
  bytes: Type.Integer(),
  verdicts: Type.Record(Type.String(), Count),
  protocols: Type.Record(Type.String(), Count, { description: 'By what they carry: `IPv4 TCP`, `ARP`, `0x88b5`' }),
  interfaces: Type.Record(Type.String(), Count, {
    description: "By the interface's name in the capture, or its number",
  }),
  sizes: Type.Array(strict({ from: Type.Integer(), packets: Type.Integer() }), {
    description: 'Packets by length on the wire, in ranges from `from` up to the next one’s `from`',
  }),
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
  stages: Type.Optional(StageTallies),
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
      rate: Type.Integer({ description: 'Packets a second, of late; when it has ended, of all of it' }),
    }),
    stopped: nullable(
      Type.Enum(['packets', 'bytes', 'seconds', 'wallSeconds', 'error', 'verdict'], {
        description: 'Which condition of `stop` ended it',
      }),
    ),
    edits: Type.Integer({ description: 'Edits of maps that were done, those of the request among them' }),
    tally: nullable(TallySchema),
    partial: Type.Boolean({
      description: 'Whether the tally is only of the packets that ran until the replay was cancelled or failed',
    }),
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

/** An edit of a map as it was done. */
export const DoneEditSchema = strict({
  ...EditMembers,
  before: nullable(Type.Integer({ description: 'Index of the packet that came next; null: when the replay was over' })),
});

const Window = strict({
  start: Time,
  packets: Type.Integer(),
  bytes: Type.Integer(),
  verdicts: Type.Record(Type.String(), Count),
});

const SeriesOf = (description: string) =>
  strict(
    {
      seconds: Type.Integer({
        description: 'Width of a window: 1, and twice as wide whenever there are more than 600',
      }),
      windows: Type.Array(Window, { description: 'Oldest first; those in which nothing ran are left out' }),
    },
    { description },
  );

export const SeriesSchema = strict({
  capture: nullable(
    SeriesOf('By when packets were captured; null until the replay has ended, or where its thread was broken off'),
  ),
  wall: SeriesOf('By when they ran, as far as it was looked, a few times a second'),
});
export type SeriesRecord = Static<typeof SeriesSchema>;

/** In order: `queued` and `running` have not finished. */
export function isFinished(state: ReplayState): boolean {
  return state !== 'queued' && state !== 'running';
}
