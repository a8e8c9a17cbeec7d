import type { Facts, MemoryKind, ProvenAccess, ProvenCall } from '../../abi/facts.ts';
import type { MapSpec } from '../../object/spec.ts';
import type { Access } from '../regions/region.ts';
import { constantOf, type RegisterKind, signedMax, signedMin } from '../state/register.ts';

/** Kinds of pointers through which memory is accessed, and the memory that each leads to. */
const KINDS = {
  context: 'context',
  'map-value': 'map-value',
  'map-key': 'map-key',
  memory: 'memory',
  'flow-keys': 'flow-keys',
  packet: 'packet',
  'packet-meta': 'packet-meta',
  stack: 'stack',
  sock: 'socket',
  'sock-common': 'socket',
  'tcp-sock': 'socket',
  'xdp-sock': 'socket',
  btf: 'kernel',
  map: 'kernel',
  object: 'kernel',
} as const satisfies { readonly [Kind in RegisterKind]?: MemoryKind };

export type AccessibleKind = keyof typeof KINDS;

/** What was touched of one kind of memory, map and frame, over all paths so far. */
interface Seen {
  readonly kind: AccessibleKind;
  readonly map: MapSpec | null;
  readonly frame: number;
  from: number;
  to: number;
  writes: boolean;
}

const NONE: readonly ProvenAccess[] = [];

/** One call, over all paths so far. */
interface SeenCall {
  /** Undefined before the first was told; null where there are several. */
  map: MapSpec | null | undefined;
  /** By argument. */
  readonly arguments: (Seen[] | undefined)[];
}

/**
 * What instructions and calls touch, gathered along the paths. That a path is cut off where it can bring nothing new
 * loses nothing: where its pointers lead was then among what was followed before.
 */
export class Accesses {
  readonly #byPc: (Seen[] | undefined)[];
  readonly #calls = new Map<number, SeenCall>();

  constructor(instructions: number) {
    this.#byPc = new Array<Seen[] | undefined>(instructions).fill(undefined);
  }

  /** A kind of memory that the instruction touched on the paths before. */
  kindAt(pc: number): RegisterKind | undefined {
    return this.#byPc[pc]?.[0]?.kind;
  }

  /** The instruction at `pc` accesses memory; `frame` is the number of the frame that runs. */
  note(pc: number, frame: number, access: Access, writes: boolean): void {
    const seen = this.#byPc[pc];
    if (seen === undefined) this.#byPc[pc] = [seenOf(access, frame, writes)];
    else widen(seen, access, frame, writes);
  }

  /** The call at `pc` touches memory through the argument in register `access.index`. */
  noteArgument(pc: number, frame: number, access: Access, writes: boolean): void {
    const given = this.#callAt(pc).arguments;
    const seen = given[access.index - 1];
    if (seen === undefined) given[access.index - 1] = [seenOf(access, frame, writes)];
    else widen(seen, access, frame, writes);
  }

  /** The call at `pc` is given a map. */
  noteMap(pc: number, map: MapSpec): void {
    const call = this.#callAt(pc);
    if (call.map === undefined) call.map = map;
    else if (call.map !== map) call.map = null;
  }

  #callAt(pc: number): SeenCall {
    let call = this.#calls.get(pc);
    if (call === undefined) this.#calls.set(pc, (call = { map: undefined, arguments: [] }));
    return call;
  }

  /** The facts; maps are told by their place among `maps`. */
  proven(maps: readonly MapSpec[]): Pick<Facts, 'accesses' | 'calls'> {
    const places = new Map(maps.map((map, index) => [map, index]));
    const indexOf = (map: MapSpec | null | undefined) => (map == null ? null : (places.get(map) ?? null));
    const all = (seen: readonly Seen[] | undefined): readonly ProvenAccess[] =>
      seen?.map(({ kind, map, ...rest }) => ({ kind: KINDS[kind], map: indexOf(map), ...rest })) ?? NONE;
    const calls = [...this.#calls].map(([pc, call]): [number, ProvenCall] => [
      pc,
      { map: indexOf(call.map), arguments: Array.from(call.arguments, all) },
    ]);
    return { accesses: this.#byPc.map(all), calls: new Map(calls) };
  }
}

function seenOf(access: Access, frame: number, writes: boolean): Seen {
  const kind = access.base.kind as AccessibleKind;
  const seen: Seen = { kind, map: mapOf(access), frame: frameOf(access, frame), from: Infinity, to: -Infinity, writes };
  stretch(seen, access);
  return seen;
}

function widen(seen: Seen[], access: Access, frame: number, writes: boolean): void {
  const { kind } = access.base;
  const map = mapOf(access);
  const from = frameOf(access, frame);
  for (const each of seen) {
    if (each.kind !== kind || each.map !== map || each.frame !== from) continue;
    stretch(each, access);
    each.writes ||= writes;
    return;
  }
  seen.push(seenOf(access, frame, writes));
}

function mapOf({ base: { kind, target } }: Access): MapSpec | null {
  return kind === 'map-value' || kind === 'map-key' ? (target as MapSpec) : null;
}

/** How many frames back the stack is that a pointer points to. */
function frameOf({ base: { kind, extent } }: Access, frame: number): number {
  return kind === 'stack' ? frame - extent : 0;
}

function stretch(seen: Seen, { base, offset, size }: Access): void {
  const start = offset + base.offset;
  const { value } = base;
  const first = start + (value.isConst ? constantOf(value) : signedMin(value));
  const end = (value.isConst ? first : start + signedMax(value)) + size;
  if (first < seen.from) seen.from = first;
  if (end > seen.to) seen.to = end;
}
