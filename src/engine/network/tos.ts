import type { Flow } from '../../abi/routes.ts';
import type { Entry } from './entry.ts';

/** Bits of the type of service that IPv4 goes by (RFC 1349), and those that IPv6 goes by (RFC 2474). */
const IPTOS_RT_MASK = 0x1c;
const DSCP_MASK = 0xfc;

export function tosMatches(flow: Flow, tos: number): boolean {
  return (flow.tos & (flow.family === 4 ? IPTOS_RT_MASK : DSCP_MASK)) === tos;
}

/** Code points that iproute2 prints by name beside CS0 … CS7 (RFC 2474) and AF11 … AF43 (RFC 2597). */
const NAMES: Readonly<Record<string, number>> = {
  default: 0x00, LE: 0x04, EF: 0xb8, VA: 0xb0, lowdelay: 0x10, throughput: 0x08, reliability: 0x04, mincost: 0x02,
}; // biome-ignore format: a table

/** The type of service that a route or rule asks for; 0 for any. */
export function readTos(entry: Entry): number {
  const text = entry.text('tos') ?? '0';
  const [, selector] = /^CS([0-7])$/.exec(text) ?? [];
  if (selector !== undefined) return Number(selector) << 5;
  const [, kind, drop] = /^AF([1-4])([1-3])$/.exec(text) ?? [];
  if (kind !== undefined) return (Number(kind) << 5) | (Number(drop) << 3);
  return NAMES[text] ?? entry.number('tos', 255) ?? 0;
}
