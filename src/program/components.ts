/** The strongly connected components of a directed graph. */
export interface Components {
  /** By node. Numbers rise from 0, against the edges: no edge leads from a component to one of higher number. */
  readonly of: Int32Array;
  readonly count: number;
}

/**
 * R. Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion. `successors` is asked for the
 * same node more than once.
 */
export function componentsOf(nodes: number, successors: (node: number) => ArrayLike<number>): Components {
  const of = new Int32Array(nodes).fill(-1);
  const order = new Int32Array(nodes).fill(-1);
  const low = new Int32Array(nodes);
  const taken = new Int32Array(nodes); // successors already followed
  const stack: number[] = [];
  let met = 0;
  let count = 0;
  for (let start = 0; start < nodes; start++) {
    if (order[start] !== -1) continue;
    const open = [start];
    while (open.length > 0) {
      const at = open[open.length - 1]!;
      if (order[at] === -1) {
        order[at] = low[at] = met++;
        stack.push(at);
      }
      const next = successors(at)[taken[at]!];
      if (next !== undefined) {
        taken[at]!++;
        if (order[next] === -1) open.push(next);
        else if (of[next] === -1) low[at] = Math.min(low[at]!, order[next]!);
        continue;
      }
      open.pop();
      const from = open[open.length - 1];
      if (from !== undefined) low[from] = Math.min(low[from]!, low[at]!);
      if (low[at] !== order[at]) continue;
      for (let member = -1; member !== at; ) {
        member = stack.pop()!;
        of[member] = count;
      }
      count++;
    }
  }
  return { of, count };
}
