import type { Frame } from '../capture/frame.ts';

/**
 * Which virtual CPU a packet arrives on: receive-side scaling, the Toeplitz hash of addresses and ports with the key
 * and the field order of the RSS specification ("Verifying the RSS hash calculation"). Packets of a flow share a CPU.
 */
const KEY = Uint8Array.fromHex('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa');

/** Packets of the CPUs whose number, divided by `workers`, leaves `worker`. */
export interface FlowShare {
  readonly worker: number;
  readonly workers: number;
}

/** Positions of the input: two IPv6 addresses and two ports. */
export const HASHED_BYTES = 36;

/** By input position and byte value: what that byte adds to the hash. */
export const HASH_TABLE: readonly Uint32Array[] = Array.from({ length: HASHED_BYTES }, (_, position) =>
  Uint32Array.from({ length: 256 }, (_, value) => {
    let hash = 0;
    for (let bit = 0; bit < 8; bit++) if ((value & (0x80 >> bit)) !== 0) hash ^= keyWindow(position * 8 + bit);
    return hash;
  }),
);

/** The 32 bits of the key that begin at a bit. */
function keyWindow(bit: number): number {
  let window = 0;
  for (let i = 0; i < 32; i++) {
    const at = bit + i;
    window = (window << 1) | ((KEY[at >> 3]! >> (7 - (at & 7))) & 1);
  }
  return window;
}

const ETHERNET_HEADER = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;

/** The Toeplitz hash of an Ethernet frame; 0 where it is no IP. Ports count for TCP and UDP that is not fragmented. */
export function flowHash({ bytes, start, end }: Pick<Frame, 'bytes' | 'start' | 'end'>): number {
  if (end - start < ETHERNET_HEADER) return 0;
  const network = start + ETHERNET_HEADER;
  const etherType = (bytes[start + 12]! << 8) | bytes[start + 13]!;
  if (etherType === ETH_P_IP && end - network >= 20) {
    const header = (bytes[network]! & 0x0f) * 4;
    const fragment = (((bytes[network + 6]! << 8) | bytes[network + 7]!) & 0x3fff) !== 0;
    const ports = !fragment && hasPorts(bytes[network + 9]!) && end - network >= header + 4;
    return toeplitz(bytes, network + 12, 8, ports ? network + header : -1);
  }
  if (etherType === ETH_P_IPV6 && end - network >= 40) {
    const ports = hasPorts(bytes[network + 6]!) && end - network >= 44;
    return toeplitz(bytes, network + 8, 32, ports ? network + 40 : -1);
  }
  return 0;
}

function hasPorts(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
}

function toeplitz(bytes: Uint8Array, addresses: number, length: number, ports: number): number {
  let hash = 0;
  for (let i = 0; i < length; i++) hash ^= HASH_TABLE[i]![bytes[addresses + i]!]!;
  if (ports >= 0) for (let i = 0; i < 4; i++) hash ^= HASH_TABLE[length + i]![bytes[ports + i]!]!;
  return hash >>> 0;
}
