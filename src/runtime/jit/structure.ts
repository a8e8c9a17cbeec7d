import { NONE } from '../../program/graph.ts';
import type { Code } from '../../wasm/writer.ts';
import type { JitFunction } from './functions.ts';

/** How the code of a node ends: `chooses` leaves a condition on the stack, true for the second successor. */
export type NodeEnding = 'leaves' | 'goes' | 'chooses';

/** Writes what a node does, without where it goes. */
export type WriteNode = (node: number) => NodeEnding;

/**
 * Control flow as nested blocks and loops, from the dominator tree: N. Ramsey, "Beyond Relooper: recursive translation
 * of unstructured control flow to structured control flow" (ICFP 2022). A node that several forward edges enter is
 * placed behind a `block` that its dominator opens; a node that closes a cycle is a `loop`; any other stands where its
 * one edge comes from. The recursion is a stack of tasks: programs may nest as deep as they are long.
 */
export function writeStructured(code: Code, { graph, order, place, dominators }: JitFunction, write: WriteNode): void {
  const { successors } = graph;
  const closes = new Uint8Array(graph.count);
  const forward = new Int32Array(graph.count);
  for (let edge = 0; edge < successors.length; edge++) {
    const to = successors[edge]!;
    if (to === NONE) continue;
    if (place[to]! <= place[edge >> 1]!) closes[to] = 1;
    else forward[to]!++;
  }
  const isMerge = (node: number) => forward[node]! > 1;
  /** Merge nodes by immediate dominator, the last in order first. */
  const firstMerge = new Int32Array(graph.count).fill(NONE);
  const nextMerge = new Int32Array(graph.count).fill(NONE);
  for (const node of order) {
    if (!isMerge(node)) continue;
    nextMerge[node] = firstMerge[dominators[node]!]!;
    firstMerge[dominators[node]!] = node;
  }
  const loopLevel = new Int32Array(graph.count);
  const blockLevel = new Int32Array(graph.count);

  /** Nodes to write, and −1 for an `end`. */
  const END = -1;
  const tasks = [0];
  const level = (from: number, to: number) => (place[to]! <= place[from]! ? loopLevel[to]! : blockLevel[to]!);
  const isLabelled = (from: number, to: number) => place[to]! <= place[from]! || isMerge(to);
  const go = (from: number, to: number) => {
    if (isLabelled(from, to)) code.branch('br', level(from, to));
    else tasks.push(to);
  };
  while (tasks.length > 0) {
    const node = tasks.pop()!;
    if (node === END) {
      code.end();
      continue;
    }
    if (closes[node] === 1) {
      code.block('loop');
      loopLevel[node] = code.depth;
      tasks.push(END);
    }
    for (let merge = firstMerge[node]!; merge !== NONE; merge = nextMerge[merge]!) {
      code.block('block');
      blockLevel[merge] = code.depth;
      tasks.push(merge, END);
    }
    const ending = write(node);
    const falls = successors[2 * node]!;
    const target = successors[2 * node + 1]!;
    if (ending === 'leaves') continue;
    if (ending === 'goes') go(node, target === NONE ? falls : target);
    else if (falls === target) {
      code.op('drop');
      go(node, falls);
    } else if (isLabelled(node, target)) {
      code.branch('br_if', level(node, target));
      go(node, falls);
    } else if (isLabelled(node, falls)) {
      code.op('i32.eqz').branch('br_if', level(node, falls));
      tasks.push(target);
    } else {
      code.block('if');
      tasks.push(falls, END, target);
    }
  }
  code.op('unreachable');
}

/** Any control flow: a loop around a `br_table` that goes to the node whose number `label` holds. */
export function writeDispatched(code: Code, { graph }: JitFunction, label: number, write: WriteNode): void {
  code.block('loop');
  const top = code.depth;
  for (let node = 0; node < graph.count; node++) code.block('block');
  code
    .get(label)
    .op('br_table')
    .unsigned(graph.count - 1);
  for (let node = 0; node < graph.count; node++) code.unsigned(node);
  for (let node = 0; node < graph.count; node++) {
    code.end();
    const ending = write(node);
    const falls = graph.successors[2 * node]!;
    const target = graph.successors[2 * node + 1]!;
    if (ending === 'leaves') continue;
    if (ending === 'goes') code.i32(target === NONE ? falls : target);
    else code.block('if', 'i32').i32(target).op('else').i32(falls).end();
    code.set(label).branch('br', top);
  }
  code.end().op('unreachable');
}
