import { type Static, Type } from 'typebox';
import { nullable, strict, Uuid } from './common.ts';
import { PacketRecordSchema } from './packets.ts';
import { PlaceSchema } from './programs.ts';

export const PacketParams = strict({
  id: Uuid,
  index: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'In the capture, from 0' }),
});

const EventSchema = strict({
  pc: Type.Integer(),
  kind: Type.Enum(['branch', 'call', 'function', 'result', 'tail-call', 'write', 'end', 'error']),
  text: Type.String({ description: 'For people' }),
  taken: Type.Optional(Type.Boolean({ description: 'Of a branch: whether its condition held' })),
});

const LineSchema = strict({
  place: PlaceSchema,
  depth: Type.Integer({ description: 'Calls of functions of the program that it is within' }),
  events: Type.Array(EventSchema),
});

const RunSchema = strict({
  program: Type.String(),
  type: Type.String(),
  verdict: nullable(Type.String({ description: 'Null where the run ended in an error' })),
  instructions: Type.Integer(),
  decision: nullable(PlaceSchema),
  lastBranch: nullable(strict({ place: PlaceSchema, event: EventSchema })),
  path: Type.Array(LineSchema, { description: 'Source lines where something happened, in their order' }),
  omitted: Type.Integer({ description: 'Lines left out in the middle' }),
});

export const ExplanationSchema = strict({
  index: Type.Integer({ description: 'In the capture' }),
  packet: nullable(PacketRecordSchema),
  skipped: nullable(Type.String({ description: 'Why no program ran' })),
  runs: Type.Array(RunSchema, { description: 'Programs in the order in which the packet met them' }),
});
export type ExplanationRecord = Static<typeof ExplanationSchema>;
