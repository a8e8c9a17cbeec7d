import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decode } from '../isa/codec.ts';
import { flowOf } from './flow.ts';
import { dominance, type Graph, graphOf, immediateDominators, NONE, naturalLoops, walk } from './graph.ts';
import { type Program, programFromAssembly } from './program.ts';

const flow = (text: string) => flowOf(programFromAssembly(text, { type: 'xdp' }));

describe('flowOf', () => {
  it('a loop with a diamond in it', () => {
    const { functions, problems } = flow(`
              r0 = 0                 // 0: block 0
      again:  r0 += 1                // 1: block 1, header
              if r0 > 5 goto big     // 2
              r1 = 1                 // 3: block 2
              goto join              // 4
      big:    r1 = 2 ll              // 5: block 3
      join:   if r0 < 10 goto again  // 7: block 4, latch
              exit                   // 8: block 5
    `);
    const main = functions[0]!;
    expect(problems).toEqual([]);
    expect([...main.starts]).toEqual([0, 1, 3, 5, 7, 8, 9]);
    expect([...main.dominators]).toEqual([NONE, 0, 1, 1, 1, 4]);
    expect(main.loops).toEqual([{ header: 1, latches: [4], parent: NONE }]);
    expect([...main.loopOf]).toEqual([NONE, 0, 0, 0, 0, NONE]);
    expect(main.backEdges).toEqual([{ from: 4, to: 1 }]);
    expect(main.irreducible).toBe(false);
    expect([main.blockAt(6), main.blockAt(8), main.blockAt(9)]).toEqual([3, 5, NONE]);
  });

  it('nested loops know their parent', () => {
    const main = flow(`
      outer: r1 = 0
      inner: r1 += 1
             if r1 < 3 goto inner
             r0 += 1
             if r0 < 3 goto outer
             exit
    `).functions[0]!;
    expect(main.loops.map(({ header, parent }) => [header, parent])).toEqual([
      [1, 1],
      [0, NONE],
    ]);
    expect([...main.loopOf]).toEqual([1, 0, 1, NONE]);
  });

  it('a cycle with two ways in is irreducible', () => {
    const main = flow('if r1 == 0 goto b\na: r0 += 1\nb: if r0 < 9 goto a\nexit').functions[0]!;
    expect(main.irreducible).toBe(true);
    expect(main.loops).toEqual([]);
    expect(main.backEdges).toHaveLength(1);
  });

  it('tells what cannot be reached, and lists calls', () => {
    const { functions } = flow('call sub\nexit\nr0 = 1\nexit\nsub: exit');
    expect(functions.map((each) => each.function.name)).toEqual(['program', 'sub']);
    expect([0, 1].map(functions[0]!.reachable)).toEqual([true, false]);
    expect(functions[0]!.calls).toEqual([{ pc: 0, target: 4 }]);
  });

  it.each([
    ['goto +5\nexit', 'jump-out-of-function', 0, 'the jump to 6 leaves program, which is 0 to 1'],
    ['call sub\nexit\nsub: goto -2\nexit', 'jump-out-of-function', 2, 'the jump to 1 leaves sub, which is 2 to 3'],
    ['goto +1\nr1 = 1 ll\nexit', 'jump-into-imm64', 0, 'the jump to 2 lands within a 64-bit immediate'],
    ['r0 = 0', 'falls-off-function', 0, 'program ends in no exit and no goto'],
    ['exit\nif r0 == 0 goto -2', 'falls-off-function', 1, 'program ends in no exit and no goto'],
    ['call pc+9\nexit', 'bad-call', 0, 'no function begins at 10'],
    ['', 'falls-off-function', 0, 'program ends in no exit and no goto'],
  ])('%j has %s', (text, code, pc, message) => {
    expect(flow(text).problems).toEqual([{ code, pc, message }]);
  });
});

describe('graphs, against the definitions', () => {
  const graphs = fc
    .integer({ min: 1, max: 14 })
    .chain((count) =>
      fc.array(fc.integer({ min: NONE, max: count - 1 }), { minLength: 2 * count, maxLength: 2 * count }),
    )
    .map((successors) => graphOf(Int32Array.from(successors)));
  /** Nodes that `from` reaches without `avoid`, itself included. */
  const reach = (graph: Graph, from: number, avoid = NONE) => {
    const seen = new Set<number>();
    const work = from === avoid ? [] : [from];
    while (work.length > 0) {
      const node = work.pop()!;
      if (seen.has(node)) continue;
      seen.add(node);
      for (const to of graph.successors.subarray(2 * node, 2 * node + 2))
        if (to !== NONE && to !== avoid) work.push(to);
    }
    return seen;
  };

  it('a node dominates those that cannot be reached without it', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const walked = walk(graph);
        const immediate = immediateDominators(graph, walked);
        const dominates = dominance(immediate, walked);
        const reachable = reach(graph, 0);
        expect(new Set(walked.preorder)).toEqual(reachable);
        for (let by = 0; by < graph.count; by++) {
          const without = reach(graph, 0, by);
          for (let node = 0; node < graph.count; node++) {
            const expected = reachable.has(by) && reachable.has(node) && !without.has(node);
            expect([by, node, dominates(by, node)]).toEqual([by, node, expected]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a loop holds what reaches its latches without its header', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const walked = walk(graph);
        const dominates = dominance(immediateDominators(graph, walked), walked);
        const { loops, innermost } = naturalLoops(graph, walked, dominates);
        const holds = (loop: number, node: number) => {
          let at = innermost[node]!;
          while (at !== NONE && at !== loop) at = loops[at]!.parent;
          return at === loop;
        };
        const headers = new Set<number>();
        for (const node of walked.preorder) {
          for (const to of graph.successors.subarray(2 * node, 2 * node + 2)) {
            if (to !== NONE && dominates(to, node)) headers.add(to);
          }
        }
        expect(new Set(loops.map((loop) => loop.header))).toEqual(headers);
        for (const [index, { header, latches }] of loops.entries()) {
          for (let node = 0; node < graph.count; node++) {
            const inside =
              node === header ||
              (reach(graph, 0).has(node) && latches.some((latch) => reach(graph, node, header).has(latch)));
            expect([header, node, holds(index, node)]).toEqual([header, node, inside]);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

it('a million instructions, half of them jumps, take a moment', () => {
  const bytes = new Uint8Array(1_000_000 * 8);
  const view = new DataView(bytes.buffer);
  // if r0 == 0 goto: ahead, back and far, by a rule that makes deep and crossing loops.
  for (let pc = 0; pc < 999_999; pc++) {
    view.setUint8(pc * 8, pc % 2 === 0 ? 0xb7 : 0x15);
    const off = pc % 3 === 0 ? 30_000 : pc % 7 === 0 ? -20_000 : 5;
    if (pc % 2 === 1) view.setInt16(pc * 8 + 2, pc + off < 999_998 && pc + off >= 0 ? off : 0, true);
  }
  view.setUint8(999_999 * 8, 0x95);
  const base = programFromAssembly('exit', { type: 'xdp' });
  const program: Program = {
    ...base,
    instructions: decode(bytes),
    functions: [{ ...base.functions[0]!, length: 1_000_000 }],
  };
  const started = performance.now();
  const { functions, problems } = flowOf(program);
  expect(performance.now() - started).toBeLessThan(60_000);
  expect(problems).toEqual([]);
  expect(functions[0]!.order.length).toBe(functions[0]!.starts.length - 1);
});
