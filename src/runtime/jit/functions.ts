import type { Instruction } from '../../isa/instruction.ts';
import { slots } from '../../isa/instruction.ts';
import { dominance, type Graph, graphOf, immediateDominators, NONE, walk } from '../../program/graph.ts';
import type { Program } from '../../program/program.ts';

type Instructions = Program['instructions'];

/**
 * All that control can reach from a pc without a call, whatever the object says of its functions: an unverified program
 * may jump anywhere. Nodes are blocks; node 0 is the entry.
 */
export interface JitFunction {
  readonly entry: number;
  /** By node: pc of the first instruction, and the pc behind the last. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** By node: instructions, and so the fuel, that it takes. */
  readonly counts: readonly number[];
  /** The successor when a condition holds is the second. */
  readonly graph: Graph;
  readonly order: Int32Array;
  /** Place of a node in `order`; an edge to an equal or earlier place closes a cycle. */
  readonly place: Int32Array;
  readonly dominators: Int32Array;
  readonly irreducible: boolean;
  /** Nodes at whose start the fuel is looked at: the entry, where cycles close, and behind calls. */
  readonly checkpoint: Uint8Array;
  /** Fuel that can be spent from a node's start to the next checkpoint. */
  readonly bound: Float64Array;
  /** Functions that it calls, with the pc of each call. */
  readonly calls: readonly { readonly pc: number; readonly target: number }[];
}

/** How an instruction ends a block: `leaves` has no successor, `splits` falls through into a block of its own. */
type Ending = 'leaves' | 'goes' | 'chooses' | 'splits' | 'calls' | undefined;

export interface Callees {
  /** Whether a helper calls back into the program, so that fuel is spent within it. */
  callsBack(helper: number): boolean;
  /** Whether there is a kernel function, by its index among the program's symbols. */
  hasKfunc(index: number): boolean;
}

function endingOf(instruction: Instruction, callees: Callees): Ending {
  switch (instruction.kind) {
    case 'goto':
      return 'goes';
    case 'jump':
    case 'may_goto':
      return 'chooses';
    case 'exit':
    case 'invalid':
      return 'leaves';
    case 'packet':
      return 'splits';
    case 'call': {
      const { target } = instruction;
      if (target.type === 'kfunc') return callees.hasKfunc(target.btfId) ? undefined : 'leaves';
      if (target.type !== 'helper') return 'calls';
      if (target.id === 12) return 'splits';
      return callees.callsBack(target.id) ? 'calls' : undefined;
    }
    default:
      return undefined;
  }
}

/** Where blocks begin, by pc; `roots` are entries from outside. */
export class Leaders {
  readonly #instructions: Instructions;
  readonly #callees: Callees;
  readonly #leads: Uint8Array;
  readonly #resumes: Uint8Array;
  #remainders: Uint32Array | undefined;

  constructor(instructions: Instructions, callees: Callees, root: number) {
    this.#instructions = instructions;
    this.#callees = callees;
    this.#leads = new Uint8Array(instructions.length + 1);
    this.#resumes = new Uint8Array(instructions.length + 1);
    this.#mark(root);
    for (let pc = 0; pc < instructions.length; pc++) {
      const instruction = instructions[pc];
      if (instruction === undefined) continue;
      if ('target' in instruction && typeof instruction.target === 'number') this.#mark(instruction.target);
      if (instruction.kind === 'call' && instruction.target.type === 'local') this.#mark(instruction.target.pc);
      const ending = endingOf(instruction, callees);
      if (ending !== undefined) this.#mark(pc + 1);
      if (ending === 'calls') this.#resumes[pc + 1] = 1;
    }
  }

  #mark(pc: number): void {
    if (pc >= 0 && pc < this.#leads.length) this.#leads[pc] = 1;
  }

  at(pc: number): boolean {
    return this.#leads[pc] === 1;
  }

  resumes(pc: number): boolean {
    return this.#resumes[pc] === 1;
  }

  ending(instruction: Instruction): Ending {
    return endingOf(instruction, this.#callees);
  }

  /** Instructions of the block behind the one at `pc`: charged, and not run when that one ends the run. */
  remainder(pc: number): number {
    this.#remainders ??= this.#countRemainders();
    return this.#remainders[pc] ?? 0;
  }

  #countRemainders(): Uint32Array {
    const remainders = new Uint32Array(this.#instructions.length);
    for (let pc = this.#instructions.length - 1; pc >= 0; pc--) {
      const instruction = this.#instructions[pc];
      if (instruction === undefined) continue;
      const next = pc + slots(instruction);
      if (this.#instructions[next] !== undefined && !this.at(next)) remainders[pc] = remainders[next]! + 1;
    }
    return remainders;
  }
}

export function functionFrom(instructions: Instructions, leaders: Leaders, entry: number): JitFunction {
  const nodes = new Map<number, number>([[entry, 0]]);
  const starts = [entry];
  const ends: number[] = [];
  const counts: number[] = [];
  const successors: number[] = [];
  const calls: { pc: number; target: number }[] = [];
  const nodeAt = (pc: number): number => {
    let node = nodes.get(pc);
    if (node === undefined) {
      node = starts.push(pc) - 1;
      nodes.set(pc, node);
    }
    return node;
  };
  for (let node = 0; node < starts.length; node++) {
    let pc = starts[node]!;
    let count = 0;
    let falls = NONE;
    let target = NONE;
    for (;;) {
      const instruction = instructions[pc];
      count++;
      if (instruction === undefined) break; // beyond the instructions, or within one: a fault of its own
      const ending = leaders.ending(instruction);
      if (instruction.kind === 'call' && instruction.target.type === 'local') {
        calls.push({ pc, target: instruction.target.pc });
      }
      const next = pc + slots(instruction);
      if (ending === 'goes' || ending === 'chooses') {
        target = nodeAt((instruction as { target: number }).target);
      }
      pc = next;
      if (ending === 'goes' || ending === 'leaves') break;
      if (ending !== undefined || leaders.at(next) || instructions[next] === undefined) {
        falls = nodeAt(next);
        break;
      }
    }
    ends.push(pc);
    counts.push(count);
    successors.push(falls, target);
  }
  return analysed({ entry, starts, ends, counts, calls }, graphOf(Int32Array.from(successors)), (node) =>
    leaders.resumes(starts[node]!),
  );
}

function analysed(
  parts: Pick<JitFunction, 'entry' | 'starts' | 'ends' | 'counts' | 'calls'>,
  graph: Graph,
  resumes: (node: number) => boolean,
): JitFunction {
  const walked = walk(graph);
  const dominators = immediateDominators(graph, walked);
  const dominates = dominance(dominators, walked);
  const order = walked.reversePostorder;
  const place = new Int32Array(graph.count);
  for (let i = 0; i < order.length; i++) place[order[i]!] = i;
  const checkpoint = new Uint8Array(graph.count);
  checkpoint[0] = 1;
  for (const { to } of walked.retreating) checkpoint[to] = 1;
  for (let node = 0; node < graph.count; node++) if (resumes(node)) checkpoint[node] = 1;
  const bound = new Float64Array(graph.count);
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i]!;
    let most = 0;
    for (const to of [graph.successors[2 * node]!, graph.successors[2 * node + 1]!]) {
      if (to !== NONE && checkpoint[to] === 0 && bound[to]! > most) most = bound[to]!;
    }
    bound[node] = parts.counts[node]! + most;
  }
  const irreducible = walked.retreating.some(({ from, to }) => !dominates(to, from));
  return { ...parts, graph, order, place, dominators, irreducible, checkpoint, bound };
}
