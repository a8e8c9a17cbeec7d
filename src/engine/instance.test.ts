import { describe, expect, it } from 'vitest';
import { type MapTypeName, mapTypeId } from '../abi/map-types.ts';
import type { Engine } from './instance.ts';
import { mapSpecOf, runOn, type Subject, instanceOf as toRun } from './testing.ts';

const ARRAY = mapSpecOf({ name: 'counters', type: 2 });

describe.each<Engine>(['interpreter', 'jit'])('%s', (engine) => {
  const instanceOf = (text: string, subject: Subject = {}) => toRun(text, { engine, ...subject });

  describe('verdicts', () => {
    it.each([
      ['xdp', 1, 'XDP_DROP'],
      ['xdp', 4, 'XDP_REDIRECT'],
      ['xdp', 77, '77'],
      ['sched_cls', -1, 'TC_ACT_UNSPEC'],
      ['sched_cls', 2, 'TC_ACT_SHOT'],
      ['sched_act', 8, 'TC_ACT_TRAP'],
      ['cgroup_skb', 1, 'PASS'],
      ['socket_filter', 0, 'DROP'],
      ['socket_filter', 40, 'ACCEPT'],
      ['lwt_xmit', 2, 'BPF_DROP'],
    ])('%s returning %i is %s', (type, code, name) => {
      const result = runOn(instanceOf(`r0 = ${code}\nexit`, { type }));
      expect([result.verdict, result.retval | 0]).toEqual([name, code]);
    });
  });

  describe('limits of a run', () => {
    it('a loop without end is ended by the budget, not by patience', () => {
      const instance = instanceOf('again: r0 = 0\nif r0 == 0 goto again\nexit', { verify: false, budget: 1000 });
      const result = runOn(instance);
      expect(result.verdict).toBe('ERROR');
      expect(result.error).toMatchObject({
        code: 'budget',
        message: expect.stringMatching(/1000 instructions.*--budget/),
      });
      expect(instance.executed).toBe(1000);
    });

    it('calls nest 8 frames deep', () => {
      const nested = (depth: number) =>
        `${Array.from({ length: depth }, (_, i) => `f${i}: call f${i + 1}\nexit`).join('\n')}\nf${depth}: r0 = 5\nexit`;
      expect(runOn(instanceOf(nested(7))).retval).toBe(5);
      expect(() => instanceOf(nested(8))).toThrow(/nest 9 deep/);
      expect(runOn(instanceOf(nested(8), { verify: false })).error?.code).toBe('call-depth');
    });

    it('a program that a function tail-calls has frames of its own, so that many are nested', () => {
      const jump = mapSpecOf({
        name: 'programs',
        type: 3,
        valueSize: 4,
        values: [{ index: 0, target: { type: 'program', name: 'program' } }],
      });
      // Linux 6.18 answers so: 34 runs, each of which still finds on its stack what it put there.
      const instance = instanceOf(
        `r6 = r1
        *(u32 *)(r10 - 4) = 0
        r1 = map[counters] ll
        r2 = r10
        r2 += -4
        call bpf_map_lookup_elem
        if r0 == 0 goto end
        r1 = *(u64 *)(r0 + 0)
        r1 += 1
        *(u64 *)(r0 + 0) = r1
        *(u64 *)(r10 - 16) = r1
        r1 = r6
        call sub
        r1 = *(u64 *)(r10 - 16)
        r1 *= 100
        r0 += r1
        end: exit
        sub: r2 = map[programs] ll
        r3 = 0
        call bpf_tail_call
        r0 = 1
        exit`,
        // Without BTF no function may make a tail call.
        { maps: [jump, ARRAY], verify: false },
      );
      expect(runOn(instance).retval).toBe(100 * ((34 * 35) / 2) + 1);
      expect(instance.dumpMaps()[1]!.entries).toEqual([{ key: '00000000', value: '2200000000000000' }]);
    });

    it('maps of sockets, tasks and cgroups are there, and empty', () => {
      const beside = ['sockmap', 'sk_storage', 'user_ringbuf', 'cgroup_array'].map((name) =>
        mapSpecOf({ name, type: mapTypeId(name as MapTypeName) }),
      );
      const instance = instanceOf('r0 = 2\nexit', { maps: [...beside, ARRAY] });
      expect(runOn(instance).verdict).toBe('XDP_PASS');
      expect(instance.dumpMaps().map(({ type, entries }) => [type, entries.length])).toEqual([
        ...beside.map(({ name }) => [name, 0]),
        ['array', 0],
      ]);
    });

    it('33 tail calls succeed in a chain', () => {
      const maps = [
        mapSpecOf({
          name: 'programs',
          type: 3,
          valueSize: 4,
          values: [{ index: 0, target: { type: 'program', name: 'program' } }],
        }),
        ARRAY,
      ];
      const instance = instanceOf(
        `*(u32 *)(r10 - 4) = 0
       r6 = r1
       r2 = r10
       r2 += -4
       r1 = map[counters] ll
       call bpf_map_lookup_elem
       if r0 == 0 goto end
       r1 = 1
       lock *(u64 *)(r0 + 0) += r1
       r1 = r6
       r2 = map[programs] ll
       r3 = 0
       call bpf_tail_call
       end: r0 = 2
       exit`,
        { maps },
      );
      expect(runOn(instance).verdict).toBe('XDP_PASS');
      expect(instance.dumpMaps()[1]!.entries).toEqual([{ key: '00000000', value: '2200000000000000' }]);
    });

    it('r6 … r9 and the stack of the caller outlive a call', () => {
      const text = `r6 = 1
      r7 = 2
      *(u64 *)(r10 - 8) = 40
      call f
      r0 = r6
      r0 += r7
      r1 = *(u64 *)(r10 - 8)
      r0 += r1
      exit
      f: r6 = 100
      r7 = 100
      *(u64 *)(r10 - 8) = 100
      r0 = 0
      exit`;
      expect(runOn(instanceOf(text)).retval).toBe(43);
    });
  });

  describe('accesses are checked, whatever the verifier said', () => {
    it.each([
      ['null', 'r1 = 0\nr0 = *(u8 *)(r1 + 4)\nexit', /reads 1 bytes at null \+ 4/],
      [
        'one byte past the packet',
        'r1 = *(u32 *)(r1 + 4)\nr0 = *(u8 *)(r1 + 0)\nexit',
        /reads 1 bytes at packet at offset 64 of 64/,
      ],
      ['below the stack', '*(u64 *)(r10 - 4104) = 1\nr0 = 0\nexit', /writes 8 bytes/],
      ['above the stack', 'r0 = *(u64 *)(r10 - 4)\nexit', /reads 8 bytes at stack at offset 4092/],
      ['beyond 32 bits', 'r1 = 0x100000000 ll\nr0 = *(u8 *)(r1 + 0)\nexit', /nobody/],
      [
        'a map that the object does not have',
        'r1 = map[7][0]+8 ll\nr0 = *(u8 *)(r1 + 0)\nexit',
        /reads 1 bytes at null/,
      ],
      [
        'null with a size',
        'r1 = 0\nr2 = 8\nr3 = 0\nr4 = 0\nr5 = 0\ncall bpf_csum_diff\nexit',
        /argument 1 of bpf_csum_diff is null, and its size 8/,
      ],
      ['a bad instruction', 'r0 = 0\nr10 = 0\nr0 = *(u8 *)(r10 - 1)\nexit', /null/],
    ])('%s', (_, text, message) => {
      const result = runOn(instanceOf(text, { verify: false, maps: [ARRAY] }));
      expect(result.verdict).toBe('ERROR');
      expect(result.error?.message).toMatch(message);
    });

    it('a value ends where the next begins', () => {
      const maps = [mapSpecOf({ name: 'counters', type: 2, valueSize: 12 })];
      const text = (offset: number) => `*(u32 *)(r10 - 4) = 0
      r2 = r10
      r2 += -4
      r1 = map[counters] ll
      call bpf_map_lookup_elem
      if r0 == 0 goto end
      r0 = *(u8 *)(r0 + ${offset})
      end: exit`;
      expect(runOn(instanceOf(text(11), { maps, verify: false })).error).toBeNull();
      expect(runOn(instanceOf(text(12), { maps, verify: false })).error?.message).toMatch(/value of map counters/);
    });
  });

  describe('time and chance', () => {
    const clock = 'call bpf_ktime_get_ns\nexit';

    it('the clock is the capture: it starts with the first packet and never goes back', () => {
      const instance = instanceOf(clock);
      const elapsed = [
        [100, 0],
        [100, 500],
        [102, 0],
        [101, 0],
      ].map(([seconds, nanoseconds]) => {
        runOn(instance, undefined, seconds, nanoseconds);
        return Number(instance.clock.monotonic() - 1_000_000_000n);
      });
      expect(elapsed).toEqual([0, 500, 2e9, 2e9]);
    });

    it('the same seed gives the same numbers, another seed others', () => {
      const draw = (seed: number) => {
        const instance = instanceOf('call bpf_get_prandom_u32\nexit', { seed });
        return [runOn(instance).retval, runOn(instance).retval];
      };
      expect(draw(1)).toEqual(draw(1));
      expect(draw(1)).not.toEqual(draw(2));
    });
  });
});

describe('what cannot be made says why', () => {
  it.each([
    [
      'too much memory',
      () => toRun('r0 = 0\nexit', { maps: [mapSpecOf({ name: 'big', type: 1, maxEntries: 2 ** 27 })] }),
      /map big takes .*--max-memory/,
    ],
    [
      'a map that Linux would not make',
      () => toRun('r0 = 0\nexit', { maps: [mapSpecOf({ name: 'bad', type: 2, keySize: 8 })] }),
      /map bad cannot be created: key_size/,
    ],
    [
      'a program that is not there',
      () => toRun('r0 = 0\nexit', { program: 'nobody' }),
      /no program nobody; it has program/,
    ],
    ['a type that cannot be replayed', () => toRun('r0 = 0\nexit', { type: 'kprobe' }), /kprobe/],
    ['no CPU', () => toRun('r0 = 0\nexit', { cpus: 0 }), /cpus is to be a whole number from 1 to 256, not 0/],
    [
      'a map that has no such entry',
      () => toRun('r0 = 0\nexit', { maps: [ARRAY], mapInit: { counters: [{ key: '00', value: '00' }] } }),
      /map counters, entry 0: key has 1 bytes; the map's have 4/,
    ],
    [
      'an index beyond the map',
      () =>
        toRun('r0 = 0\nexit', {
          maps: [ARRAY],
          mapInit: { counters: [{ key: '04000000', value: '0000000000000000' }] },
        }),
      /E2BIG/,
    ],
    ['a map that is not there', () => toRun('r0 = 0\nexit', { mapInit: { nothing: [] } }), /no map nothing/],
    [
      'a helper that cannot run yet',
      () => toRun('r2 = r10\nr2 += -40\nr3 = 40\nr4 = 0\ncall bpf_skb_get_xfrm_state\nexit', { verify: false }),
      /program calls bpf_skb_get_xfrm_state at instruction 4, which cannot run here yet/,
    ],
  ])('%s', (_, make, message) => expect(make).toThrow(message));
});
