import type { Family, Interface } from './interfaces.ts';

/** Where the virtual host would send a packet: what bpf_fib_lookup asks. Addresses are numbers of 32 or 128 bits. */
export interface Routes {
  route(flow: Flow): Path | Unroutable;
  /** Link-layer address of a neighbour that may be used as it stands; undefined where there is none. */
  neighbour(on: Interface, family: Family, address: bigint): Uint8Array | undefined;
  /** Source address that a packet of the host's own would get on this way; undefined where it has none. */
  source(path: Path, flow: Flow): bigint | undefined;
}

export interface Flow {
  readonly family: Family;
  /** The table to look in; undefined to go by the rules. */
  readonly table: number | undefined;
  /** Index of the interface it comes from, and of the one it is to leave by; 0 for any. */
  readonly input: number;
  readonly output: number;
  readonly tos: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly mark: number;
  readonly source: bigint;
  readonly destination: bigint;
}

/** Why there is no way; `none` also where the packet would be the host's own. */
export type Unroutable = 'blackhole' | 'unreachable' | 'prohibit' | 'none';

export interface Path {
  readonly interface: Interface;
  /** Undefined where the destination is on the link. */
  readonly gateway: { readonly family: Family; readonly address: bigint } | undefined;
  readonly metric: number;
  readonly mtu: number;
  /** Whether the route wraps packets (lightweight tunnels). */
  readonly encapsulates: boolean;
  /** Address that the route prefers as source. */
  readonly preferredSource: bigint | undefined;
  /** RT_SCOPE_*: how far the destination is. */
  readonly scope: number;
}
