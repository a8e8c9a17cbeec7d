/**
 * Directed graphs of which every node has at most two successors, as control flow has, and what their shape says.
 * Nodes are 0 … count − 1 and the entry is 0. All of it is linear or n log n, and none of it recurs, so that a program
 * of a million blocks neither hangs nor overflows the stack.
 */

export const NONE = -1;

export interface Graph {
  readonly count: number;
  /** Two a node, `NONE` where there is none. */
  readonly successors: Int32Array;
  /** Predecessors of node n: `predecessors` from `predecessorStart[n]` up to `predecessorStart[n + 1]`. */
  readonly predecessorStart: Int32Array;
  readonly predecessors: Int32Array;
}

export function graphOf(successors: Int32Array): Graph {
  const count = successors.length / 2;
  const predecessorStart = new Int32Array(count + 1);
  for (const to of successors) if (to !== NONE) predecessorStart[to + 1]!++;
  for (let node = 0; node < count; node++) predecessorStart[node + 1]! += predecessorStart[node]!;
  const predecessors = new Int32Array(predecessorStart[count]!);
  const next = predecessorStart.slice();
  for (let edge = 0; edge < successors.length; edge++) {
    const to = successors[edge]!;
    if (to !== NONE) predecessors[next[to]!++] = edge >> 1;
  }
  return { count, successors, predecessorStart, predecessors };
}

export interface Edge {
  readonly from: number;
  readonly to: number;
}

/** A depth-first walk from the entry. */
export interface Walk {
  /** Reachable nodes as they were met. */
  readonly preorder: Int32Array;
  /** Place of a node in `preorder`, `NONE` for an unreachable one. */
  readonly number: Int32Array;
  /** The node from which the walk came, by place in `preorder`, as a place; `NONE` for the entry. */
  readonly parent: Int32Array;
  /** Reachable nodes such that each stands before its successors, but for retreating edges. */
  readonly reversePostorder: Int32Array;
  /** Edges to a node that the walk is still in: every cycle has one. */
  readonly retreating: readonly Edge[];
}

export function walk({ count, successors }: Graph): Walk {
  const number = new Int32Array(count).fill(NONE);
  const preorder = new Int32Array(count);
  const parent = new Int32Array(count).fill(NONE);
  const postorder = new Int32Array(count);
  const finished = new Uint8Array(count);
  const taken = new Uint8Array(count); // successors already followed
  const stack = new Int32Array(count);
  const retreating: Edge[] = [];
  let depth = 0;
  let met = 0;
  let done = 0;
  const enter = (node: number, from: number) => {
    parent[met] = from;
    number[node] = met;
    preorder[met++] = node;
    stack[depth++] = node;
  };
  if (count > 0) enter(0, NONE);
  while (depth > 0) {
    const node = stack[depth - 1]!;
    if (taken[node] === 2) {
      finished[node] = 1;
      postorder[done++] = node;
      depth--;
      continue;
    }
    const to = successors[2 * node + taken[node]!++]!;
    if (to === NONE) continue;
    if (number[to] === NONE) enter(to, number[node]!);
    else if (finished[to] === 0) retreating.push({ from: node, to });
  }
  return {
    preorder: preorder.subarray(0, met),
    number,
    parent: parent.subarray(0, met),
    reversePostorder: postorder.subarray(0, done).reverse(),
    retreating,
  };
}

/**
 * The immediate dominator of each node, `NONE` for the entry and unreachable nodes: T. Lengauer, R. E. Tarjan, "A fast
 * algorithm for finding dominators in a flowgraph" (1979), with path compression, O(m log n). Within, nodes go by
 * their place in the walk's preorder.
 */
export function immediateDominators(graph: Graph, { preorder, number, parent }: Walk): Int32Array {
  const count = preorder.length;
  const semi = Int32Array.from({ length: count }, (_, place) => place);
  const best = semi.slice();
  const ancestor = new Int32Array(count).fill(NONE);
  const dominator = new Int32Array(count).fill(NONE);
  const bucketHead = new Int32Array(count).fill(NONE);
  const bucketNext = new Int32Array(count).fill(NONE);
  const path = new Int32Array(count);

  /** The node of least semidominator on the way up from `place`; shortens that way. */
  const evaluate = (place: number): number => {
    if (ancestor[place] === NONE) return place;
    let length = 0;
    for (let at = place; ancestor[ancestor[at]!] !== NONE; at = ancestor[at]!) path[length++] = at;
    while (length > 0) {
      const at = path[--length]!;
      const above = ancestor[at]!;
      if (semi[best[above]!]! < semi[best[at]!]!) best[at] = best[above]!;
      ancestor[at] = ancestor[above]!;
    }
    return best[place]!;
  };

  for (let place = count - 1; place > 0; place--) {
    const node = preorder[place]!;
    for (let i = graph.predecessorStart[node]!; i < graph.predecessorStart[node + 1]!; i++) {
      const from = number[graph.predecessors[i]!]!;
      if (from === NONE) continue;
      const candidate = semi[evaluate(from)]!;
      if (candidate < semi[place]!) semi[place] = candidate;
    }
    const bucket = semi[place]!;
    bucketNext[place] = bucketHead[bucket]!;
    bucketHead[bucket] = place;
    const above = parent[place]!;
    ancestor[place] = above;
    for (let each = bucketHead[above]!; each !== NONE; each = bucketNext[each]!) {
      const least = evaluate(each);
      dominator[each] = semi[least]! < semi[each]! ? least : above;
    }
    bucketHead[above] = NONE;
  }
  const immediate = new Int32Array(graph.count).fill(NONE);
  for (let place = 1; place < count; place++) {
    if (dominator[place] !== semi[place]) dominator[place] = dominator[dominator[place]!]!;
    immediate[preorder[place]!] = preorder[dominator[place]!]!;
  }
  return immediate;
}

/** Whether every way from the entry to `node` goes through `by`; false where either is unreachable. */
export type Dominates = (by: number, node: number) => boolean;

/** Answers in constant time: a node dominates those whose place in the dominator tree lies in its subtree. */
export function dominance(immediate: Int32Array, { preorder, number }: Walk): Dominates {
  const size = new Int32Array(immediate.length).fill(1);
  const place = new Int32Array(immediate.length);
  const free = new Int32Array(immediate.length); // next place in the subtree
  for (let i = preorder.length - 1; i > 0; i--) {
    const node = preorder[i]!;
    size[immediate[node]!]! += size[node]!;
  }
  for (const node of preorder) {
    const above = immediate[node]!;
    if (above !== NONE) {
      place[node] = free[above]!;
      free[above]! += size[node]!;
    }
    free[node] = place[node]! + 1;
  }
  return (by, node) =>
    number[by] !== NONE && number[node] !== NONE && place[by]! <= place[node]! && place[node]! < place[by]! + size[by]!;
}

/** A natural loop: all that reaches a back edge to `header` without passing it. */
export interface Loop {
  readonly header: number;
  /** Nodes with an edge back to the header. */
  readonly latches: readonly number[];
  /** Index of the smallest loop around this one, or `NONE`. */
  parent: number;
}

export interface Loops {
  /** Inner loops before the loops around them. */
  readonly loops: readonly Loop[];
  /** Index of the innermost loop that a node is in, or `NONE`. */
  readonly innermost: Int32Array;
  /** Whether a cycle has more than one way in, and so is no natural loop. */
  readonly irreducible: boolean;
}

/** Natural loops have distinct headers and are nested or disjoint, so that a found loop counts as one node of the next. */
export function naturalLoops(graph: Graph, { number, retreating }: Walk, dominates: Dominates): Loops {
  const latches = new Map<number, number[]>();
  let irreducible = false;
  for (const { from, to } of retreating) {
    if (!dominates(to, from)) irreducible = true;
    else if (latches.has(to)) latches.get(to)!.push(from);
    else latches.set(to, [from]);
  }
  // The header of an inner loop is met after the header of the loop around it.
  const headers = [...latches.keys()].sort((a, b) => number[b]! - number[a]!);
  const innermost = new Int32Array(graph.count).fill(NONE);
  const loops: Loop[] = [];
  const merged = Int32Array.from({ length: graph.count }, (_, node) => node);
  const find = (node: number): number => {
    let root = node;
    while (merged[root] !== root) root = merged[root]!;
    for (let at = node; merged[at] !== root; ) {
      const next = merged[at]!;
      merged[at] = root;
      at = next;
    }
    return root;
  };
  for (const header of headers) {
    const index = loops.length;
    const work = latches.get(header)!.map(find);
    loops.push({ header, latches: latches.get(header)!, parent: NONE });
    while (work.length > 0) {
      const node = find(work.pop()!);
      if (node === header) continue;
      merged[node] = header;
      // A header stands for the outermost loop found so far, which now has a parent.
      if (innermost[node] === NONE) innermost[node] = index;
      else loops[innermost[node]!]!.parent = index;
      for (let i = graph.predecessorStart[node]!; i < graph.predecessorStart[node + 1]!; i++) {
        const from = graph.predecessors[i]!;
        if (number[from] !== NONE) work.push(from);
      }
    }
    innermost[header] = index;
  }
  return { loops, innermost, irreducible };
}
