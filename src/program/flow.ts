import type { Instruction } from '../isa/instruction.ts';
import type { FunctionSpec } from '../object/spec.ts';
import {
  type Dominates,
  dominance,
  type Edge,
  type Graph,
  graphOf,
  immediateDominators,
  type Loop,
  NONE,
  naturalLoops,
  walk,
} from './graph.ts';
import { functionNamed, type Program } from './program.ts';

/** Where control cannot go. Linux refuses a program that has one, whether or not it can be reached. */
export interface FlowProblem {
  readonly code: 'jump-out-of-function' | 'jump-into-imm64' | 'falls-off-function' | 'bad-call';
  readonly pc: number;
  readonly message: string;
}

/**
 * The flow of control in one function. Blocks are numbered by rising pc; block 0 is the entry. Calls of functions fall
 * through: they are in `calls`, not edges.
 */
export interface FunctionFlow {
  readonly function: FunctionSpec;
  /** Successors, two a block, and predecessors. */
  readonly graph: Graph;
  /** pc of each block's first instruction, and at the end the pc after the last block. */
  readonly starts: Int32Array;
  /** Reachable blocks, each before its successors but for retreating edges. */
  readonly order: Int32Array;
  /** Immediate dominator of each block, -1 for the entry and unreachable blocks. */
  readonly dominators: Int32Array;
  readonly dominates: Dominates;
  /** Edges that close a cycle. */
  readonly backEdges: readonly Edge[];
  /** Natural loops, inner before outer. */
  readonly loops: readonly Loop[];
  /** Index of the innermost loop of each block, -1 for none. */
  readonly loopOf: Int32Array;
  /** Whether some cycle has several ways in. */
  readonly irreducible: boolean;
  /** Calls of functions, and addresses of functions taken (callbacks). */
  readonly calls: readonly { readonly pc: number; readonly target: number }[];
  /** The block that holds `pc`, -1 outside the function. */
  blockAt(pc: number): number;
  /** Whether a way from the function's start leads to the block. */
  reachable(block: number): boolean;
}

export interface Flow {
  /** As `program.functions`. */
  readonly functions: readonly FunctionFlow[];
  /** By rising pc within each function. */
  readonly problems: readonly FlowProblem[];
}

/** The flow of control of every function, in O(n log n) and without recursion. */
export function flowOf(program: Program): Flow {
  const problems: FlowProblem[] = [];
  const starts = new Set(program.functions.map((each) => each.start));
  const functions = program.functions.map((each) => functionFlow(program.instructions, each, starts, problems));
  return { functions, problems };
}

/** Where control goes after an instruction besides falling through, and whether it falls through. */
function leaving(instruction: Instruction): { target?: number; falls: boolean } | undefined {
  switch (instruction.kind) {
    case 'goto':
      return { target: instruction.target, falls: false };
    case 'jump':
    case 'may_goto':
      return { target: instruction.target, falls: true };
    case 'exit':
      return { falls: false };
    default:
      return undefined;
  }
}

function functionFlow(
  instructions: Program['instructions'],
  spec: FunctionSpec,
  functionStarts: ReadonlySet<number>,
  problems: FlowProblem[],
): FunctionFlow {
  const { start, length } = spec;
  const end = Math.min(start + length, instructions.length);
  const calls: { pc: number; target: number }[] = [];
  const report = (code: FlowProblem['code'], pc: number, message: string) => problems.push({ code, pc, message });
  /** Whether a jump from `pc` may land at `target`. */
  const lands = (target: number) => target >= start && target < end && instructions[target] !== undefined;

  const leader = new Uint8Array(Math.max(end - start, 0));
  if (leader.length > 0) leader[0] = 1;
  let last: { pc: number; falls: boolean } | undefined;
  for (let pc = start; pc < end; pc++) {
    const instruction = instructions[pc];
    if (instruction === undefined) continue;
    const callee = functionNamed(instruction);
    if (callee !== undefined) {
      calls.push({ pc, target: callee });
      if (!functionStarts.has(callee)) report('bad-call', pc, `no function begins at ${callee}`);
    }
    const left = leaving(instruction);
    last = { pc, falls: left?.falls ?? true };
    if (left === undefined) continue;
    if (pc + 1 < end) leader[pc + 1 - start] = 1;
    if (left.target === undefined) continue;
    if (lands(left.target)) leader[left.target - start] = 1;
    else if (left.target < start || left.target >= end) {
      report(
        'jump-out-of-function',
        pc,
        `the jump to ${left.target} leaves ${spec.name}, which is ${start} to ${end - 1}`,
      );
    } else report('jump-into-imm64', pc, `the jump to ${left.target} lands within a 64-bit immediate`);
  }
  if (last?.falls !== false) {
    report('falls-off-function', last?.pc ?? start, `${spec.name} ends in no exit and no goto`);
  }

  const blockOf = new Int32Array(leader.length);
  const count = leader.reduce((sum, each) => sum + each, 0);
  const starts = new Int32Array(count + 1);
  starts[count] = end;
  let block = NONE;
  for (let at = 0; at < leader.length; at++) {
    if (leader[at] === 1) starts[++block] = start + at;
    blockOf[at] = block;
  }
  const successors = new Int32Array(2 * count).fill(NONE);
  for (block = 0; block < count; block++) {
    let pc = starts[block + 1]! - 1;
    if (instructions[pc] === undefined) pc--; // the second slot of a 64-bit immediate
    const { target, falls } = leaving(instructions[pc]!) ?? { falls: true };
    if (falls && block + 1 < count) successors[2 * block] = block + 1;
    if (target !== undefined && lands(target)) successors[2 * block + 1] = blockOf[target - start]!;
  }

  const graph = graphOf(successors);
  const walked = walk(graph);
  const dominators = immediateDominators(graph, walked);
  const dominates = dominance(dominators, walked);
  const { loops, innermost, irreducible } = naturalLoops(graph, walked, dominates);
  return {
    function: spec,
    graph,
    starts,
    order: walked.reversePostorder,
    dominators,
    dominates,
    backEdges: walked.retreating,
    loops,
    loopOf: innermost,
    irreducible,
    calls,
    blockAt: (pc) => blockOf[pc - start] ?? NONE,
    reachable: (each) => (walked.number[each] ?? NONE) !== NONE,
  };
}
