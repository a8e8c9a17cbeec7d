import type { Region } from './memory.ts';

/**
 * The packet buffer, in addresses of the linear memory:
 *
 *     head ≤ meta ≤ data ≤ linearEnd ≤ end ≤ limit
 *
 * `head … data` is headroom (with the metadata in `meta … data`), `end … limit` tailroom. Direct access reaches
 * `data … linearEnd`; bytes beyond it are in fragments, which only helpers reach; they lie contiguously all the same.
 */
export interface Packet {
  head: number;
  meta: number;
  data: number;
  linearEnd: number;
  end: number;
  limit: number;
  /** `meta … linearEnd`: what a program may touch. */
  readonly region: Region;
  /** Header positions and offload state of an sk_buff that __sk_buff does not show; unused by XDP. */
  readonly skb: SkbState;
}

/** Positions are addresses; they move with the bytes when room is made or taken in front of them. */
export interface SkbState {
  /** Where Linux's own buffer begins, which decides when it makes a new one. */
  head: number;
  macHeader: number;
  networkHeader: number;
  /** Bytes between these two when Linux last measured them, 0 before it ever did. */
  macLength: number;
  /** 0 while nothing has said where it is. */
  transportHeader: number;
  /** CHECKSUM_NONE 0, UNNECESSARY 1, COMPLETE 2, PARTIAL 3. */
  ipSummed: number;
  csumLevel: number;
  encapsulation: boolean;
  /** SKB_GSO_* bits. */
  gsoType: number;
  hashIsValid: boolean;
  /** As set by bpf_skb_set_tunnel_key, or null: a `struct bpf_tunnel_key` as it reads back, with its flags. */
  tunnel: { readonly info: Uint8Array; readonly ipv6: boolean; options: Uint8Array | null } | null;
}
