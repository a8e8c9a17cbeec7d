import type { Facts, LoopBound } from '../../abi/facts.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { componentsOf } from '../../program/components.ts';
import { flowOf } from '../../program/flow.ts';
import type { Program } from '../../program/program.ts';
import type { State } from '../state/state.ts';
import { entryPc } from '../walk/history.ts';
import { callsBack } from '../walk/points.ts';

/** Where paths end. */
const END = 0;

/**
 * How often paths come through the heads of loops. What was walked is a graph: its nodes are the checkpoints, its edges
 * the stretches of paths between them, each with the number of times that it came through each head. A path that was
 * cut off at a checkpoint goes on as the paths from there did, so the most that a run can take is the longest way
 * through the graph. Only a path that was cut off at a checkpoint of its own closes a cycle: then the loop is one that
 * something else ends.
 */
export class Rounds {
  readonly #heads: readonly number[];
  /** By pc: 1 + place among the heads; 0 for other instructions. */
  readonly #placeOf: Int32Array;
  readonly #from: number[] = [];
  readonly #to: number[] = [];
  /** By edge: what closed a cycle. */
  readonly #closedBy = new Map<number, LoopBound>();
  /** By head: edges that come through it, and how often. */
  readonly #through: Map<number, number>[];
  readonly #roots: number[] = [];
  #nodes = END + 1;

  /** `heads`: pcs. */
  constructor(heads: readonly number[], instructions: number) {
    this.#heads = heads;
    this.#placeOf = new Int32Array(instructions);
    for (const [place, pc] of heads.entries()) this.#placeOf[pc] = place + 1;
    this.#through = heads.map(() => new Map());
  }

  /** A function begins to be walked. */
  begin(): void {
    this.#roots.push(this.#nodes++);
  }

  /** The path in `state` ends. */
  end(state: State): void {
    this.#edge(state, END);
  }

  /** The path in `state` comes to a new checkpoint. */
  reach(state: State, checkpoint: State): void {
    checkpoint.node = this.#nodes++;
    this.#edge(state, checkpoint.node);
  }

  /** The path in `state` is cut off at a checkpoint; `closedBy` says what ends the loop, where it is one of its own. */
  join(state: State, checkpoint: State, closedBy: LoopBound | null): void {
    if (closedBy !== null) this.#closedBy.set(this.#from.length, closedBy);
    this.#edge(state, checkpoint.node);
  }

  #edge({ parent, history }: State, to: number): void {
    const edge = this.#from.length;
    this.#from.push(parent?.node ?? this.#roots[this.#roots.length - 1]!);
    this.#to.push(to);
    for (const entry of history) {
      const place = this.#placeOf[entryPc(entry)]!;
      if (place === 0) continue;
      const through = this.#through[place - 1]!;
      through.set(edge, (through.get(edge) ?? 0) + 1);
    }
  }

  /** By pc of each head that some path came through. */
  bounds(): Map<number, LoopBound> {
    const after: number[][] = Array.from({ length: this.#nodes }, () => []);
    for (const [edge, from] of this.#from.entries()) after[from]!.push(this.#to[edge]!);
    const { of, count } = componentsOf(this.#nodes, (node) => after[node]!);
    // Rising components: where an edge leads is known before where it comes from.
    const edges = [...this.#from.keys()].sort((a, b) => of[this.#from[a]!]! - of[this.#from[b]!]!);
    const closedBy = new Map([...this.#closedBy].map(([edge, by]) => [of[this.#from[edge]!]!, by]));
    const found = new Map<number, LoopBound>();
    for (const [place, through] of this.#through.entries()) {
      if (through.size === 0) continue;
      const cycle = [...through.keys()].find((edge) => of[this.#from[edge]!] === of[this.#to[edge]!]);
      const bound =
        cycle === undefined ? this.#longest(through, edges, of, count) : closedBy.get(of[this.#from[cycle]!]!)!;
      found.set(this.#heads[place]!, bound);
    }
    return found;
  }

  #longest(through: ReadonlyMap<number, number>, edges: readonly number[], of: Int32Array, components: number): number {
    const most = new Float64Array(components);
    for (const edge of edges) {
      const from = of[this.#from[edge]!]!;
      const there = most[of[this.#to[edge]!]!]! + (through.get(edge) ?? 0);
      if (there > most[from]!) most[from] = there;
    }
    return Math.max(...this.#roots.map((root) => most[of[root]!]!));
  }
}

/** Null where the program has no loops to count. */
export function roundsOf(program: Program): Rounds | null {
  const { instructions } = program;
  if (!instructions.some(jumpsBack)) return null;
  const heads = flowOf(program).functions.flatMap(({ backEdges, starts }) => backEdges.map(({ to }) => starts[to]!));
  return heads.length === 0 ? null : new Rounds([...new Set(heads)], instructions.length);
}

function jumpsBack(instruction: Instruction | undefined, pc: number): boolean {
  switch (instruction?.kind) {
    case 'goto':
    case 'jump':
    case 'may_goto':
      return instruction.target <= pc;
    default:
      return false;
  }
}

/** Loops of both kinds: those that jumps close, and helpers that call back. */
export function loopBounds(program: Program, reached: Uint8Array, rounds: Rounds | null): Facts['loops'] {
  const bounds = rounds?.bounds() ?? new Map<number, LoopBound>();
  for (const [pc, instruction] of program.instructions.entries()) {
    if (reached[pc] === 1 && instruction !== undefined && callsBack(program, instruction)) bounds.set(pc, 'callback');
  }
  return bounds;
}
