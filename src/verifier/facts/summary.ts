import type { Catalogue } from '../../abi/catalogue.ts';
import type { Facts, LoopBound, MemoryKind, ProvenAccess } from '../../abi/facts.ts';
import { functionAt, lineAt, type Program } from '../../program/program.ts';
import { type StateAcrossPackets, stateAcrossPackets } from './state-across-packets.ts';

/** What is proved of an accepted program, told of it as a whole. Plain data. */
export interface FactsSummary {
  /** Instructions that no path reaches, by pc. */
  readonly unreached: readonly number[];
  /** By function: bytes of stack. */
  readonly stack: Readonly<Record<string, number>>;
  /** By function that is verified by itself: instructions that one run takes at most, without those of such functions that it calls. */
  readonly longest: Readonly<Record<string, number | null>>;
  readonly loops: readonly LoopSummary[];
  readonly memory: readonly MemorySummary[];
  /** What one packet leaves behind for the next. */
  readonly state: StateAcrossPackets;
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
  const byName = <Value>(byStart: ReadonlyMap<number, Value>): Record<string, Value> =>
    Object.fromEntries([...byStart].sort(([a], [b]) => a - b).map(([pc, value]) => [nameOf(pc), value]));
  const loops = [...facts.loops].sort(([a], [b]) => a - b);
  return {
    unreached: [...program.instructions.keys()].filter(
      (pc) => program.instructions[pc] !== undefined && facts.reached[pc] === 0,
    ),
    stack: byName(facts.stack),
    longest: byName(facts.longest),
    loops: loops.map(([pc, rounds]) => {
      const line = lineAt(program, pc);
      return { pc, function: nameOf(pc), file: line?.file ?? null, line: line?.line ?? null, rounds };
    }),
    memory: memoryOf(program, facts.accesses.flat()),
    state: stateAcrossPackets(program, facts, catalogue),
  };
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
