import { type Static, Type } from 'typebox';
import { Counts, Digest, Name, Nanoseconds, nullable, strict, Time } from './common.ts';

const SummarySchema = strict({
  format: nullable(Type.Enum(['pcap', 'pcapng'])),
  byteOrder: nullable(Type.Enum(['little-endian', 'big-endian', 'mixed'])),
  resolution: nullable(Type.String({ description: 'Unit of the timestamps, `10^-6`' })),
  interfaces: Type.Integer(),
  packets: Type.Integer(),
  capturedBytes: Type.Integer(),
  originalBytes: Type.Integer({ description: 'On the wire' }),
  firstTime: nullable(Nanoseconds),
  lastTime: nullable(Nanoseconds),
  linkTypes: Counts,
  etherTypes: Counts,
  ipProtocols: Counts,
  sizes: Type.Array(strict({ from: Type.Integer(), packets: Type.Integer() })),
  error: nullable(
    strict(
      { code: Type.String(), message: Type.String(), offset: Type.Integer(), packet: Type.Integer() },
      { description: 'Where the capture is damaged; all counts are of what came before' },
    ),
  ),
});

export const Capture = strict(
  {
    id: Digest,
    name: nullable(Name),
    size: Type.Integer(),
    createdAt: Time,
    summary: SummarySchema,
  },
  { $id: 'Capture' },
);

export type CaptureRecord = Static<typeof Capture>;
