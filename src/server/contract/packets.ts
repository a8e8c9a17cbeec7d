import { type Static, Type } from 'typebox';
import { nullable, strict } from './common.ts';

/** A list in a query: between commas. */
const List = (description: string) => Type.String({ minLength: 1, maxLength: 1000, description });

export const PacketFilterQuery = {
  verdict: Type.Optional(List('Names of verdicts, between commas: `XDP_DROP,XDP_TX`')),
  protocol: Type.Optional(List('Names as in the tally, between commas: `IPv4 TCP`, or `TCP` of both families')),
  first: Type.Optional(Type.Integer({ minimum: 0, description: 'Index in the capture of the first packet' })),
  last: Type.Optional(Type.Integer({ minimum: 0, description: 'Index of the last one' })),
  redirect: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 200,
      description: '`true`, `false`, or a target as in the tally: `ifindex 4`, `map tx_ports key 2`',
    }),
  ),
  error: Type.Optional(Type.Boolean({ description: 'Whether the run ended in an error' })),
  changed: Type.Optional(Type.Boolean({ description: 'Whether the program changed the packet' })),
  filter: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 65_536,
      description: 'A packet filter as `tcpdump -ddd` prints it; lines may end in commas',
    }),
  ),
};
export const PacketsQuery = strict(PacketFilterQuery);
export type PacketsQueryValues = Static<typeof PacketsQuery>;

const RedirectSchema = strict({
  kind: Type.String(),
  ifindex: nullable(Type.Integer()),
  map: nullable(Type.String()),
  key: nullable(Type.Integer()),
  flags: Type.String(),
  direction: Type.Enum(['ingress', 'egress']),
});

export const PacketRecordSchema = strict({
  index: Type.Integer({ description: 'In the capture' }),
  ts_ns: Type.String({ description: 'Capture time in nanoseconds since the epoch' }),
  caplen: Type.Integer(),
  verdict: Type.String(),
  retval: Type.Integer(),
  out_len: Type.Integer(),
  out_fnv1a64: Type.String({ description: 'FNV-1a of the bytes after the program ran' }),
  redirect: nullable(RedirectSchema),
  error: nullable(Type.String()),
});
