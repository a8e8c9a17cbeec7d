import { SIZE_RANGES } from '../capture/summary.ts';
import type { StageTally } from '../engine/pipeline.ts';

/** What became of a capture. Plain data: it crosses threads and is served as it is. Counts fit in 2^53. */
export interface Tally {
  readonly program: string;
  readonly type: string;
  /** Packets of the capture that ran (errors included), and their captured bytes. */
  packets: number;
  bytes: number;
  /** By name; packets whose run ended in an error are under `ERROR`. At most 65,536 names, like all tables here. */
  readonly verdicts: Record<string, Count>;
  /** Packets that ran, by what they carry: `IPv4 TCP`, `ARP`, `0x88b5`; most packets first. */
  readonly protocols: Record<string, Count>;
  /** Packets that ran, by the interface's name in the capture, or its number where it has none. */
  readonly interfaces: Record<string, Count>;
  /** Packets that ran, by length on the wire, in ranges from `from` up to the next one's `from`. */
  readonly sizes: SizeCount[];
  /** Packets that did not run, by reason. */
  readonly skipped: Record<string, number>;
  /** Packets that were given an Ethernet header before they ran, by link type. */
  readonly headerAdded: Record<string, number>;
  /** Runs that ended in an error, by code. */
  readonly errors: Record<string, ErrorCount>;
  /** Redirects by target: `ifindex 4`, `map tx_ports key 2`. */
  readonly redirects: Record<string, Count>;
  /** Records sent to user space, by map. */
  readonly events: Record<string, number>;
  /** Lines from bpf_trace_printk. */
  traces: number;
  /** Capture times in nanoseconds since the epoch, null without packets. */
  firstTime: string | null;
  lastTime: string | null;
  /** Instructions executed in all. */
  instructions: number;
  /** What each program of a pipeline did. */
  readonly stages?: StageTally[];
  /** What was wrong with the capture, when it could not be read to its end. The packets before are counted. */
  captureError: CaptureFault | null;
}

export interface Count {
  packets: number;
  bytes: number;
}

export interface SizeCount {
  from: number;
  packets: number;
}

export interface ErrorCount {
  packets: number;
  /** The first packet of the capture that met it, and what it said. */
  readonly firstPacket: number;
  readonly message: string;
}

export interface CaptureFault {
  readonly code: string;
  readonly message: string;
  readonly offset: number;
}

/** One packet, as `--packets` writes it. */
export interface PacketRecord {
  readonly index: number;
  readonly ts_ns: string;
  readonly caplen: number;
  readonly verdict: string;
  readonly retval: number;
  readonly out_len: number;
  /** FNV-1a of the packet's bytes after the program ran, 16 hex digits. */
  readonly out_fnv1a64: string;
  readonly redirect: RedirectRecord | null;
  readonly error: string | null;
}

export interface RedirectRecord {
  readonly kind: string;
  readonly ifindex: number | null;
  readonly map: string | null;
  readonly key: number | null;
  readonly flags: string;
  readonly direction: 'ingress' | 'egress';
}

export function emptyTally(program: string, type: string): Tally {
  return {
    program,
    type,
    packets: 0,
    bytes: 0,
    verdicts: {},
    protocols: {},
    interfaces: {},
    sizes: SIZE_RANGES.map((from) => ({ from, packets: 0 })),
    skipped: {},
    headerAdded: {},
    errors: {},
    redirects: {},
    events: {},
    traces: 0,
    firstTime: null,
    lastTime: null,
    instructions: 0,
    captureError: null,
  };
}

export function increment(table: Record<string, number>, name: string, by = 1): void {
  table[name] = (table[name] ?? 0) + by;
}
