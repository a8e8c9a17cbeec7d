import { type Static, Type } from 'typebox';
import { Name, nullable, strict, Time, Uuid } from './common.ts';
import { StageTallies, subjectMembers, TallySchema } from './replays.ts';

const Port = Type.Integer({ minimum: 1, maximum: 65535 });

/** What comes from where, by kind. */
const SOURCES = {
  http: strict({ kind: Type.Literal('http') }, { description: 'Captures are sent to `/v1/streams/{id}/capture`' }),
  listen: strict(
    { kind: Type.Literal('listen'), port: Port },
    { description: 'PCAP-over-IP: senders connect to this port of the daemon' },
  ),
  connect: strict(
    {
      kind: Type.Literal('connect'),
      host: Type.String({ pattern: '^[0-9A-Za-z_.:%-]{1,253}$', description: 'Name or address' }),
      port: Port,
    },
    { description: 'PCAP-over-IP: the daemon connects to a sender, again and again' },
  ),
  input: strict(
    { kind: Type.Literal('input'), input: Name },
    { description: 'A named pipe or standard input that the daemon was given, by its name (`--stream-input`)' },
  ),
  interface: strict(
    {
      kind: Type.Literal('interface'),
      interface: Type.String({
        minLength: 1,
        maxLength: 64,
        description: 'One that the daemon was given (`--stream-interface`)',
      }),
      filter: Type.Optional(
        Type.String({ minLength: 1, maxLength: 4096, description: 'In the language of pcap-filter(7)' }),
      ),
      snapLength: Type.Optional(Type.Integer({ minimum: 16, maximum: 262_144, description: 'Most bytes of a packet' })),
      promiscuous: Type.Optional(Type.Boolean({ description: 'Also what is for other machines' })),
      tool: Type.Optional(
        Type.Enum(['tcpdump', 'dumpcap'], { description: 'Unless told, the first that is installed' }),
      ),
    },
    { description: 'A network interface of the machine, captured by a child process' },
  ),
} as const;

const MOST_WINDOWS = 3600;
const WindowSchema = strict({
  seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, default: 1, description: 'Width' })),
  keep: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_WINDOWS, default: 60, description: 'How many' })),
  clock: Type.Optional(
    Type.Enum(['wall', 'capture'], {
      default: 'wall',
      description: 'A packet counts when it ran, or when it was captured',
    }),
  ),
});

export const StreamRequestSchema = strict({
  ...subjectMembers,
  name: Type.Optional(Name),
  source: Type.Union([SOURCES.http, SOURCES.listen, SOURCES.connect, SOURCES.input, SOURCES.interface]),
  window: Type.Optional(WindowSchema),
});

const Fault = strict({
  at: Time,
  from: Type.String({ description: 'Who sent it; the source where nobody did' }),
  code: Type.String(),
  message: Type.String(),
});

const FeedSchema = strict({
  connected: Type.Boolean({ description: 'A capture is being read' }),
  from: nullable(Type.String({ description: 'Whence it comes' })),
  connections: Type.Integer({ description: 'Captures that were begun; each may have a header of its own' }),
  failed: Type.Integer({ description: 'Those that were bad, or were cut off in the middle of a packet' }),
  refused: Type.Integer({ description: 'Turned away, as another one was being read' }),
  bytes: Type.Integer(),
  dropped: Type.Integer({ description: 'Packets that the child that captures had no room for' }),
  lastError: nullable(Fault),
});

const { captureError: _, ...tally } = TallySchema.properties;

export const Stream = strict(
  {
    id: Uuid,
    state: Type.Enum(['running', 'stopped', 'failed']),
    request: StreamRequestSchema,
    createdAt: Time,
    startedAt: Type.String({
      description: 'RFC 3339, UTC. All is counted from here: a daemon that starts again begins at zero',
    }),
    stoppedAt: nullable(Time),
    feed: FeedSchema,
    frames: Type.Integer({ description: 'Packets that were read, skipped ones too' }),
    tally: nullable(
      strict(tally, { description: 'Over all captures since `startedAt`; null while the program is loaded' }),
    ),
    error: nullable(strict({ name: Type.String(), code: Type.String(), message: Type.String() })),
  },
  { $id: 'Stream' },
);

export const StreamWindows = strict({
  seconds: Type.Integer(),
  clock: Type.Enum(['wall', 'capture']),
  windows: Type.Array(
    strict({
      start: Time,
      packets: Type.Integer(),
      bytes: Type.Integer(),
      verdicts: Type.Record(Type.String(), strict({ packets: Type.Integer(), bytes: Type.Integer() })),
      stages: Type.Optional(StageTallies),
    }),
    { description: 'The newest, oldest first; those in which nothing ran are left out' },
  ),
});

export const CaptureReceipt = strict({
  frames: Type.Integer({ description: 'Packets that were read, skipped ones too' }),
  bytes: Type.Integer(),
});

export type StreamRecord = Static<typeof Stream>;
export type NewStream = Static<typeof StreamRequestSchema>;
export type StreamSource = NewStream['source'];
