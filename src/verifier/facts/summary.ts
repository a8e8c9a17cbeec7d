import type { Catalogue } from '../../abi/catalogue.ts';
import type { Facts, LoopBound, MemoryKind, ProvenAccess } from '../../abi/facts.ts';
import { functionAt, lineAt, type Program } from '../../program/program.ts';
import { type Carrier, type Reach, stateAcrossPackets } from './state-across-packets.ts';

/** What is proved of an accepted program, told of it as a whole. Plain data, all by rising pc. */
export interface FactsSummary {
  /**
   * Of the program, and of each global function that it calls: instructions that one run takes at most, those of global
   * functions that it calls apart; null where may_goto, an iterator or a callback makes it long.
   */
  readonly longest: readonly { readonly function: string; readonly instructions: number | null }[];
  readonly stack: readonly { readonly function: string; readonly bytes: number }[];
  readonly loops: readonly LoopSummary[];
  readonly memory: readonly MemorySummary[];
  /** Instructions that no path reaches, by pc. */
  readonly unreached: readonly number[];
  /** What one packet leaves behind for the next, and the first place where each carrier is written. */
  readonly state: { readonly reach: Reach; readonly carriers: readonly Carrier[] };
}

interface LoopSummary {
  readonly pc: number;
  readonly function: string;
  readonly file: string | null;
  readonly line: number | null;
  /** At most, in one run; or what else ends the loop. */
  readonly rounds: LoopBound;
}

/** The bytes of one kind of memory that loads, stores and atomic operations touch at all: see `ProvenAccess`. */
interface MemorySummary {
  readonly kind: MemoryKind;
  readonly map: string | null;
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
}

export function summariseFacts(program: Program, facts: Facts, catalogue: Catalogue): FactsSummary {
  const nameOf = (pc: number) => functionAt(program, pc)?.name ?? program.name;
  const { reach, carriers } = stateAcrossPackets(program, facts, catalogue);
  return {
    longest: byPc(facts.longest).map(([pc, instructions]) => ({ function: nameOf(pc), instructions })),
    stack: byPc(facts.stack).map(([pc, bytes]) => ({ function: nameOf(pc), bytes })),
    loops: byPc(facts.loops).map(([pc, rounds]) => {
      const line = lineAt(program, pc);
      return { pc, function: nameOf(pc), file: line?.file ?? null, line: line?.line ?? null, rounds };
    }),
    memory: memoryOf(program, facts.accesses.flat()),
    unreached: [...program.instructions.keys()].filter(
      (pc) => program.instructions[pc] !== undefined && facts.reached[pc] === 0,
    ),
    state: { reach, carriers: firstsOf(carriers, (each) => `${each.reach} ${each.what}`) },
  };
}

function byPc<Value>(entries: ReadonlyMap<number, Value>): [number, Value][] {
  return [...entries].sort(([a], [b]) => a - b);
}

function firstsOf<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return [...Map.groupBy(items, keyOf).values()].map(([first]) => first!);
}

/** By kind and map, in the order in which the program first touches them. */
function memoryOf({ maps }: Program, accesses: readonly ProvenAccess[]): MemorySummary[] {
  const groups = Map.groupBy(accesses, ({ kind, map }) => `${kind} ${map}`);
  return [...groups.values()].map((group) => {
    const { kind, map } = group[0]!;
    return {
      kind,
      map: map === null ? null : maps[map]!.name,
      from: group.reduce((least, { from }) => Math.min(least, from), Infinity),
      to: group.reduce((most, { to }) => Math.max(most, to), -Infinity),
      writes: group.some(({ writes }) => writes),
    };
  });
}
