import { SLOTS } from '../abi/control.ts';
import type { Arrival, EntryCode, ProgramType } from '../abi/program-type.ts';
import type { JitEntry } from '../runtime/jit/jit.ts';
import { type Body, i32, type Local, load, type Value } from '../wasm/body.ts';
import { EDGES, SKB, SKB_FLAGS } from './packet.ts';

/** What a loop in WebAssembly needs to run packets by itself. */
export interface NativeEntry extends JitEntry {
  readonly memory: WebAssembly.Memory;
  /** Instructions that a run may take; `fuel` tells how many are left behind it. */
  readonly budget: number;
  /** Address at which a frame is put; there is room for `PACKET_ROOM` bytes. */
  readonly frame: number;
  /** Address of `BLOCK_BYTES` bytes for a capture; undefined where there is no room. */
  readonly block: number | undefined;
  /** Whether a frame may run where it lies in the block. */
  readonly inPlace: boolean;
  /** Whether the program keeps to what the verifier allows. */
  readonly isVerified: boolean;
  readonly context: number;
  readonly socket: number;
  readonly programType: ProgramType & Required<Pick<ProgramType, 'writeEnter' | 'writeLeave'>>;
  readonly arrival: Pick<Arrival, 'ifindex' | 'queue'>;
  /** Address of a word, or two, of the control block. */
  slot(name: NativeSlot): number;
}

export type NativeSlot =
  | 'now' | 'clockStarted' | 'attention' | 'packetMoved' | 'fuel' | 'cpu' | 'packetStart' | 'packetBytesEnd' | 'packetData'
  | 'redirectKind' | 'redirectMap' | 'redirectKey' | 'redirectTarget' | 'redirectFlags'; // biome-ignore format: a list

export function slotAddress(control: number, name: NativeSlot): number {
  return control + 8 * SLOTS[name];
}

/** Writes what enters a frame that stays where it lies, from `start` to `end`. */
export function writeEntryInPlace(entry: NativeEntry, body: Body, memory: number, start: Local, end: Local): void {
  const { context, socket, programType, arrival } = entry;
  const set = setterOf(entry, body, memory);
  set(EDGES.end, end);
  programType.writeEnterInPlace!({ ...settersOf(set), body, memory, context, socket, start, end, arrival });
  // The next one that is copied finds other edges than its own.
  set(SLOTS.packetMoved, i32(1));
}

/** Writes what enters the frame that lies at `entry.frame` up to `end`; the clock and the CPU are set by others. */
export function writeEntry(entry: NativeEntry, body: Body, memory: number, end: Local): void {
  const { frame, context, socket, programType, arrival } = entry;
  const set = setterOf(entry, body, memory);
  set(EDGES.end, end);
  programType.writeEnter({
    ...settersOf(set),
    body,
    memory,
    context,
    socket,
    start: frame,
    end,
    arrival,
    moved: entry.isVerified ? load('i32.load', i32(0), entry.slot('packetMoved'), memory) : i32(1),
  });
  set(SLOTS.packetMoved, i32(0));
}

type Setter = (slot: number, value: Value) => void;

function setterOf(entry: NativeEntry, body: Body, memory: number): Setter {
  const base = entry.slot('fuel') - 8 * SLOTS.fuel;
  return (slot, value) => body.store('i32.store', i32(0), base + 8 * slot, value, memory);
}

function settersOf(set: Setter): Pick<EntryCode, 'setEdge' | 'setSkb'> {
  return {
    setEdge: (name, value) => set(EDGES[name], value),
    setSkb: (name, value) => set({ ...SKB, ...SKB_FLAGS }[name], value),
  };
}
