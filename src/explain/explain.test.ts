import { describe, expect, it } from 'vitest';
import { catalogue } from '../engine/catalogue.ts';
import { instanceOf, mapSpecOf, runOn, type Subject } from '../engine/testing.ts';
import type { ExplainedRun } from './explanation.ts';
import { runText } from './text.ts';
import { packetWatch } from './watch.ts';

const COUNTERS = mapSpecOf({ name: 'counters', type: 2 });

/** What a program did with a frame of 64 bytes, EtherType 0x88b5. */
function explain(text: string, subject: Subject = {}): ExplainedRun {
  const instance = instanceOf(text, { engine: subject.verify === false ? 'interpreter' : 'jit', ...subject });
  const { watcher, runs } = packetWatch(catalogue);
  instance.watch(watcher);
  const [run] = runs(runOn(instance));
  return run!;
}

const texts = ({ path }: ExplainedRun) => path.flatMap(({ events }) => events.map(({ text }) => text));

const PARSE = `r2 = *(u32 *)(r1 + 4)
  r1 = *(u32 *)(r1 + 0)
  r3 = r1
  r3 += 14
  r0 = 1
  if r3 > r2 goto end
  r4 = *(u16 *)(r1 + 12)
  if r4 != 8 goto end
  r0 = 2
  end: exit`;

describe('why a packet got its verdict', () => {
  it('tells what branches compared, and from where in the packet it came', () => {
    const run = explain(PARSE);
    expect(run).toMatchObject({ verdict: 'XDP_DROP', instructions: 9 });
    expect(texts(run)).toEqual([
      'r3 > r2 is false: r3 is packet+14, r2 is packet+64 (its end)',
      'r4 != 8 is true: r4 is 46472 (0xb588), from packet[12..13] (88b5)',
      'r0 is 1: XDP_DROP',
    ]);
    expect(run.lastBranch?.event).toMatchObject({ pc: 7, taken: true });
  });

  it('finds where the verdict was set, through moves, the stack and a function', () => {
    const run = explain(`call choose
      r6 = r0
      *(u64 *)(r10 - 8) = r6
      r6 = 7
      r0 = *(u64 *)(r10 - 8)
      exit
      choose: r1 = 3
      r0 = r1
      exit`);
    expect(run.decision).toMatchObject({ pc: 6, function: 'choose', instruction: 'r1 = 3' });
    expect(texts(run)).toEqual(['calls choose', 'choose gave 3', 'r0 is 3: XDP_TX']);
  });

  it('tells of a lookup the key and what lies there, and of writes what becomes of it', () => {
    const run = explain(
      `*(u32 *)(r10 - 4) = 2
       r2 = r10
       r2 += -4
       r1 = map[counters] ll
       call bpf_map_lookup_elem
       if r0 == 0 goto end
       r1 = 5
       lock *(u64 *)(r0 + 0) += r1
       *(u8 *)(r0 + 7) = 1
       end: r0 = 2
       exit`,
      { maps: [COUNTERS] },
    );
    expect(texts(run)).toEqual([
      'bpf_map_lookup_elem(map counters, key 02000000) gave a value: 0000000000000000',
      'r0 == null is false: r0 is value of map counters',
      'value of map counters[0..7] becomes 0500000000000000',
      'value of map counters[7] becomes 01',
      'r0 is 2: XDP_PASS',
    ]);
  });

  it('names errors that a helper gave', () => {
    const run = explain(
      `*(u32 *)(r10 - 4) = 9
       r2 = r10
       r2 += -4
       r1 = map[counters] ll
       call bpf_map_delete_elem
       r0 = 2
       exit`,
      { maps: [COUNTERS] },
    );
    expect(texts(run)[0]).toBe('bpf_map_delete_elem(map counters, key 09000000) gave -22 (EINVAL)');
  });

  it('names kernel functions, what they were given and what they gave', () => {
    const run = explain(
      `r2 = 1
       r3 = r10
       r3 += -16
       call kfunc[bpf_dynptr_from_xdp]
       r1 = r10
       r1 += -16
       call kfunc[bpf_dynptr_is_null]
       r0 = 2
       exit`,
      { kernelFunctions: ['bpf_dynptr_from_xdp', 'bpf_dynptr_is_null'] },
    );
    expect(texts(run).slice(0, 2)).toEqual([
      'bpf_dynptr_from_xdp(ctx, 1, the stack) gave -22 (EINVAL)',
      'bpf_dynptr_is_null(the stack) gave 1',
    ]);
  });

  it('compares signed what is compared signed', () => {
    const run = explain('r1 = -1\nif r1 s< 0 goto low\nr0 = 2\nexit\nlow: r0 = 1\nexit');
    expect(texts(run)[0]).toBe('r1 < (signed) 0 is true: r1 is -1');
  });

  it('follows a tail call, and says where there is none', () => {
    const jump = mapSpecOf({
      name: 'jump',
      type: 3,
      valueSize: 4,
      values: [{ index: 1, target: { type: 'program', name: 'program' } }],
    });
    const run = explain('r2 = map[jump] ll\nr3 = 0\ncall bpf_tail_call\nr0 = 2\nexit', { maps: [jump] });
    expect(texts(run)).toEqual([
      'goes on here: slot 0 of map jump is empty, or it was the 34th tail call',
      'r0 is 2: XDP_PASS',
    ]);
    const chain = explain('r2 = map[jump] ll\nr3 = 1\ncall bpf_tail_call\nr0 = 2\nexit', { maps: [jump] });
    expect(texts(chain).filter((text) => text === 'goes on in the program of slot 1 of map jump')).toHaveLength(33);
    expect(chain.verdict).toBe('XDP_PASS');
  });

  it('sees into callbacks', () => {
    const run = explain(
      `r1 = 2
      r2 = subprog[each] ll
      r3 = 0
      r4 = 0
      call bpf_loop
      r0 = 2
      exit
      each: if r1 == 1 goto last
      r0 = 0
      exit
      last: r0 = 1
      exit`,
      { verify: false },
    );
    expect(texts(run)).toEqual([
      'r1 == 1 is false: r1 is 0',
      'r1 == 1 is true: r1 is 1',
      expect.stringMatching(/^bpf_loop\(2, .* gave 2$/),
      'r0 is 2: XDP_PASS',
    ]);
    expect(run.path[0]).toMatchObject({ depth: 1, place: { function: 'each' } });
  });

  it('ends with the error that ended the run', () => {
    const run = explain('again: r1 = 1\nif r1 == 1 goto again\nr0 = 2\nexit', {
      verify: false,
      budget: 100_000,
    });
    expect(run).toMatchObject({ verdict: null, decision: null, instructions: 100_000 });
    expect(texts(run).at(-1)).toMatch(/took 100000 instructions/);
    // 50,000 branches, 50 a line: the middle is left out, and what led to the end is there.
    expect(run.path.length).toBe(400);
    expect(run.omitted).toBe(600);
    expect(runText(run)).toContain('… 600 lines');
  });

  it('a legacy load beyond the packet ends the program', () => {
    const run = explain('r6 = r1\nr0 = *(u8 *)skb[100]\nr0 = 1\nexit', { type: 'socket_filter' });
    expect(run).toMatchObject({ verdict: 'DROP', decision: { pc: 1 } });
    expect(texts(run)).toEqual(['reads beyond the packet, which ends the program: DROP']);
  });

  it('the next packet runs as before once nobody looks', () => {
    const instance = instanceOf(PARSE, { engine: 'jit' });
    const { watcher, runs } = packetWatch(catalogue);
    instance.watch(watcher);
    runOn(instance);
    instance.watch(undefined);
    const result = runOn(instance);
    expect(runs(result)).toHaveLength(1);
    expect(instance.executed).toBe(9);
  });
});
