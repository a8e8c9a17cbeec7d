/** What the verifier hands over of the programs that it takes: assembly in, facts out. */
import { describe, expect, it } from 'vitest';
import type { Facts, ProvenAccess } from '../../abi/facts.ts';
import { helperName } from '../../abi/helper-names.ts';
import { catalogue } from '../../engine/catalogue.ts';
import type { MapSpec } from '../../object/spec.ts';
import { programFromAssembly } from '../../program/program.ts';
import { CASE_MAPS, caseProgram } from '../cases.ts';
import { verify } from '../verify.ts';
import { summariseFacts } from './summary.ts';

function factsOf(text: string, type = 'xdp'): Facts {
  return accepted(verify(caseProgram(type, text), catalogue));
}

function accepted(verdict: ReturnType<typeof verify>): Facts {
  if (!verdict.accepted) throw new Error(`refused at ${verdict.refusal.pc}: ${verdict.refusal.message}`);
  return verdict.facts;
}

/** `stack -8…0`, `value of entries 4…8 written`, `stack of the caller -8…0`. */
function shown({ kind, map, frame, from, to, writes }: ProvenAccess, maps: readonly MapSpec[] = CASE_MAPS): string {
  const of = map === null ? '' : ` of ${maps[map]!.name}`;
  return `${kind}${of}${frame === 0 ? '' : ` ${frame} up`} ${from}…${to}${writes ? ' written' : ''}`;
}

const at = (facts: Facts, pc: number) => facts.accesses[pc]!.map((each) => shown(each));
const all = (text: string) => {
  const facts = factsOf(text);
  return facts.accesses.flatMap((list, pc) => list.map((each) => `${pc}: ${shown(each)}`));
};

/** r2 to the first byte of at least 20, r5 to the byte at offset 3. */
const PACKET =
  'r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = r2; r4 += 20; if r4 > r3 goto out; r5 = *(u8 *)(r2 + 3)';
/** r0 to a value of the map. */
const LOOKUP = (map: string, key = 8) =>
  `*(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -${key}; r1 = map[${map}] ll; call bpf_map_lookup_elem; if r0 == 0 goto out`;

describe('accesses', () => {
  it('have the bytes of the frame, the context and the packet', () => {
    expect(all(`*(u32 *)(r10 - 12) = 7; ${PACKET}; out: r0 = 2; exit`)).toEqual([
      '0: stack -12…-8 written',
      '1: context 0…4',
      '2: context 4…8',
      '6: packet 3…4',
    ]);
  });

  it('through a variable offset have all bytes that it may lead to', () => {
    const text = `${PACKET}; r5 &= 7; r0 = r10; r0 += -16; r0 += r5; *(u8 *)(r0 + 0) = 1; out: r0 = 2; exit`;
    expect(at(factsOf(text), 10)).toEqual(['stack -16…-8 written']);
  });

  it('into the packet count a variable offset', () => {
    const text = `${PACKET}; r5 &= 3; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto out; r0 = *(u16 *)(r2 + 2); out: r0 = 2; exit`;
    expect(at(factsOf(text), 11)).toEqual(['packet 2…7']);
  });

  it('of several paths are joined', () => {
    const text =
      'r2 = *(u32 *)(r1 + 12); r0 = r10; r0 += -8; if r2 > 1 goto low; r0 += 4; low: *(u32 *)(r0 + 0) = 1; r0 = 2; exit';
    expect(at(factsOf(text), 5)).toEqual(['stack -8…0 written']);
  });

  it('before data are told apart from those after it', () => {
    const text =
      'r2 = *(u32 *)(r1 + 8); r3 = *(u32 *)(r1 + 0); r4 = r2; r4 += 4; if r4 > r3 goto out; r0 = *(u32 *)(r2 + 0); out: r0 = 2; exit';
    expect(at(factsOf(text), 5)).toEqual(['packet-meta 0…4']);
  });

  it('of a map value name the map, and say who writes', () => {
    const text = `${LOOKUP('entries')}; r1 = *(u32 *)(r0 + 4); r2 = 1; lock *(u64 *)(r0 + 8) += r2; *(u8 *)(r0 + 47) = 1; out: r0 = 2; exit`;
    const facts = factsOf(text);
    expect([at(facts, 7), at(facts, 9), at(facts, 10)]).toEqual([
      ['map-value of entries 4…8'],
      ['map-value of entries 8…16 written'],
      ['map-value of entries 47…48 written'],
    ]);
  });

  it('of one instruction keep maps and kinds apart', () => {
    const text = `r6 = r10; r6 += -16; r7 = *(u32 *)(r1 + 12); if r7 > 1 goto use; ${LOOKUP('entries')}; r6 = r0; use: *(u64 *)(r6 + 0) = 1; out: r0 = 2; exit`;
    expect(at(factsOf(text), 12)).toEqual(['map-value of entries 0…8 written', 'stack -16…-8 written']);
  });

  it('in a function count frames from its own', () => {
    const text =
      'r1 = r10; r1 += -8; *(u64 *)(r10 - 8) = 1; call fill; r0 = 2; exit; fill: *(u64 *)(r1 + 0) = 2; *(u64 *)(r10 - 16) = 3; r0 = 0; exit';
    const facts = factsOf(text);
    expect([at(facts, 2), at(facts, 6), at(facts, 7)]).toEqual([
      ['stack -8…0 written'],
      ['stack 1 up -8…0 written'],
      ['stack -16…-8 written'],
    ]);
  });

  it('where no path leads are none', () => {
    const facts = factsOf('r1 = 1; if r1 == 1 goto out; *(u64 *)(r10 - 8) = 1; out: r0 = 2; exit');
    expect(facts.accesses[2]).toEqual([]);
    expect(facts.reached[2]).toBe(0);
  });
});

describe('calls', () => {
  const call = (facts: Facts, pc: number) => {
    const { map, arguments: given } = facts.calls.get(pc)!;
    return {
      map: map === null ? null : CASE_MAPS[map]!.name,
      given: given.map((each) => each.map((one) => shown(one))),
    };
  };

  it('name their map and the bytes of the key', () => {
    expect(call(factsOf(`${LOOKUP('entries')}; out: r0 = 2; exit`), 5)).toEqual({
      map: 'entries',
      given: [[], ['stack -8…0']],
    });
  });

  it('with one of two maps name none', () => {
    const text =
      '*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r6 = *(u32 *)(r1 + 12); r1 = map[values] ll; if r6 > 1 goto go; r1 = map[single] ll; go: call bpf_map_lookup_elem; r0 = 2; exit';
    expect(call(factsOf(text), 9)).toEqual({ map: null, given: [[], ['stack -4…0']] });
  });

  it('that fill memory write it', () => {
    const text = 'r2 = 0; r3 = r10; r3 += -16; r4 = 12; call bpf_skb_load_bytes; r0 = 0; exit';
    expect(call(factsOf(text, 'sched_cls'), 4)).toEqual({ map: null, given: [[], [], ['stack -16…-4 written']] });
  });

  it('with a variable size touch as much as it may be', () => {
    const text =
      'r4 = *(u32 *)(r1 + 0); r4 &= 7; r4 += 1; r2 = 0; r3 = r10; r3 += -16; call bpf_skb_load_bytes; r0 = 0; exit';
    expect(call(factsOf(text, 'sched_cls'), 6).given[2]).toEqual(['stack -16…-8 written']);
  });
});

describe('the longest run', () => {
  const longest = (text: string, type = 'xdp') => [...factsOf(text, type).longest.values()];

  it('is that of the longest path', () => {
    expect(longest('r0 = *(u32 *)(r1 + 12); if r0 > 1 goto out; r0 = 1; r0 = 2; out: exit')).toEqual([5]);
  });

  it('has all rounds of loops, and what functions take', () => {
    expect(longest('r6 = 0; r0 = 0; again: r6 += 1; if r6 < 10 goto again; exit')).toEqual([23]);
    expect(longest('call f; call f; exit; f: r0 = 1; exit')).toEqual([7]);
  });

  // Of two paths that come together, the first walked is the shorter: the other is cut off.
  it('of a path that was cut off goes on behind that', () => {
    const text = `r6 = *(u32 *)(r1 + 12); if r6 > 5 goto far; goto loop; far: ${'r7 = 1; '.repeat(20)}loop: r7 = 0; r0 = 0; again: r7 += 1; if r7 < 100 goto again; exit`;
    expect(longest(text)).toEqual([2 + 20 + 2 + 200 + 1]);
  });

  it('is not known where may_goto ends a loop', () => {
    expect(longest('r0 = 0; again: r0 += 1; may_goto out; goto again; out: r0 = 2; exit')).toEqual([null]);
  });
});

describe('loops', () => {
  const loops = (text: string, type = 'xdp') => [...factsOf(text, type).loops];

  it('have the number of their rounds', () => {
    expect(loops('r6 = 0; r0 = 0; again: r6 += 1; if r6 < 10 goto again; exit')).toEqual([[2, 10]]);
  });

  it('within loops count every round of a run', () => {
    const text =
      'r6 = 0; r0 = 0; outer: r7 = 0; inner: r7 += 1; if r7 < 4 goto inner; r6 += 1; if r6 < 3 goto outer; exit';
    expect(loops(text)).toEqual([
      [2, 3],
      [3, 12],
    ]);
  });

  // The path that begins at 90 is walked first; the other is cut off where it comes to 90.
  it('count what a path that was cut off had before it', () => {
    const text =
      'r6 = *(u32 *)(r1 + 12); r7 = 0; if r6 > 5 goto loop; r7 = 90; loop: r0 = 0; r7 += 1; if r7 < 100 goto loop; exit';
    expect(loops(text)).toEqual([[4, 100]]);
  });

  it('in a function that is called twice count both calls', () => {
    const text =
      'r1 = 3; call count; r1 = 5; call count; r0 = 2; exit; count: r0 = 0; again: r0 += 1; r1 += -1; if r1 != 0 goto again; exit';
    expect(loops(text)).toEqual([[7, 8]]);
  });

  it('say that may_goto ends them', () => {
    expect(loops('r0 = 0; again: r0 += 1; may_goto out; goto again; out: r0 = 2; exit')).toEqual([[1, 'may_goto']]);
  });

  it('after one that may_goto ends have their number', () => {
    const text =
      'r0 = 0; again: r0 += 1; may_goto next; goto again; next: r6 = 0; loop: r6 += 1; if r6 < 7 goto loop; r0 = 2; exit';
    expect(loops(text)).toEqual([
      [1, 'may_goto'],
      [5, 7],
    ]);
  });

  it('within one that may_goto ends have no number', () => {
    const text =
      'r0 = 0; again: r6 = 0; loop: r6 += 1; if r6 < 7 goto loop; may_goto out; goto again; out: r0 = 2; exit';
    expect(loops(text)).toEqual([
      [1, 'may_goto'],
      [2, 'may_goto'],
    ]);
  });

  it('of a helper that calls back say so', () => {
    const text =
      'r1 = 100; r2 = subprog[each] ll; r3 = 0; r4 = 0; call bpf_loop; r0 = 2; exit; each: r6 = 0; loop: r6 += 1; if r6 < 7 goto loop; r0 = 0; exit';
    expect(loops(text, 'xdp+btf')).toEqual([
      [8 + 1, 'callback'],
      [5, 'callback'],
    ]);
  });
});

it("maps are told by their place among the object's", () => {
  const maps = [...CASE_MAPS].reverse();
  const program = programFromAssembly(
    `${LOOKUP('entries')}; r1 = *(u8 *)(r0 + 0); out: r0 = 2; exit`.replaceAll('; ', '\n'),
    {
      type: 'xdp',
      maps,
      helper: (id) => `bpf_${helperName(id)}`,
    },
  );
  expect(accepted(verify(program, catalogue)).accesses[7]!.map((each) => shown(each, maps))).toEqual([
    'map-value of entries 0…1',
  ]);
});

it('a summary tells of the program as a whole', () => {
  const text = `r6 = 0; again: r6 += 1; if r6 < 4 goto again; ${PACKET}; ${LOOKUP('entries')}; *(u64 *)(r0 + 16) = 1; *(u64 *)(r0 + 24) = 1; out: r0 = 2; exit`;
  const program = caseProgram('xdp', text);
  expect(summariseFacts(program, accepted(verify(program, catalogue)), catalogue)).toEqual({
    unreached: [],
    longest: [{ function: 'program', instructions: 25 }],
    stack: [{ function: 'program', bytes: 8 }],
    loops: [{ pc: 1, function: 'program', file: null, line: null, rounds: 4 }],
    memory: [
      { kind: 'context', map: null, from: 0, to: 8, writes: false },
      { kind: 'packet', map: null, from: 3, to: 4, writes: false },
      { kind: 'stack', map: null, from: -8, to: 0, writes: true },
      { kind: 'map-value', map: 'entries', from: 16, to: 32, writes: true },
    ],
    state: { reach: 'shared', carriers: [{ reach: 'shared', pc: 16, what: 'map entries' }] },
  });
});
