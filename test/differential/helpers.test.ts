import { describe, expect, it } from 'vitest';
import { HELPER_NAMES } from '../../src/abi/helper-names.ts';
import type { MapTypeName } from '../../src/abi/map-types.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { MapSpec } from '../../src/object/spec.ts';
import { helpers } from '../../src/runtime/helpers/index.ts';
import { ask, assembleQuestion, frameOf } from '../../src/runtime/helpers/test-host.ts';
import { mapSpec } from '../../src/runtime/maps/test-host.ts';
import { askRaw, kernelAvailable } from './oracle.ts';

/** Each program below is one assembly text that runs on both sides; return value and output bytes must be equal. */
interface Question {
  readonly type: string;
  readonly text: string;
  readonly frame: Uint8Array;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

const MAPS: readonly MapSpec[] = [
  mapSpec('array', { name: 'values', valueSize: 64, maxEntries: 2 }),
  mapSpec('hash', { name: 'hash', valueSize: 8, maxEntries: 2 }),
  mapSpec('percpu_array', { name: 'percpu', valueSize: 8, maxEntries: 2 }),
  mapSpec('queue', { name: 'queue', keySize: 0, valueSize: 4, maxEntries: 2 }),
  mapSpec('devmap', { name: 'devices', maxEntries: 4 }),
  mapSpec('cpumap', { name: 'cpus', maxEntries: 4 }),
  mapSpec('xskmap', { name: 'sockets', maxEntries: 4 }),
  mapSpec('ringbuf', { name: 'ring', keySize: 0, valueSize: 0, maxEntries: 4096 }),
  mapSpec('perf_event_array', { name: 'events', maxEntries: 4 }),
];
const KERNEL_MAPS = MAPS.map((map) => ({
  type: ['array', 'hash', 'percpu_array', 'queue', 'devmap', 'cpumap', 'xskmap', 'ringbuf', 'perf_event_array'][
    MAPS.indexOf(map)
  ] as MapTypeName,
  keySize: map.keySize,
  valueSize: map.valueSize,
  maxEntries: map.maxEntries,
  ...(map.name === 'devices' ? { entries: [{ key: word(1), value: word(1) }] } : {}),
  ...(map.name === 'cpus' ? { entries: [{ key: word(0), value: word(64) }] } : {}),
}));
const MAP_INIT = {
  devices: [{ key: hex(word(1)), value: hex(word(1)) }],
  cpus: [{ key: hex(word(0)), value: hex(word(64)) }],
};

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** The kernel keeps the maps from one question to the next, as of one call. */
function compareAlone(questions: readonly Question[]): void {
  for (const question of questions) compare([question]);
}

function compare(questions: readonly Question[]): void {
  const asked = questions.map((question) => ({
    type: question.type,
    instructions: assembleQuestion({ ...question, maps: MAPS }),
    data: question.frame,
  }));
  for (const [i, theirs] of askRaw(asked, KERNEL_MAPS).entries()) {
    const question = questions[i]!;
    expect(theirs, question.text).toMatchObject({ verdict: 'accept' });
    const ours = ask({ ...question, maps: MAPS, options: { mapInit: MAP_INIT } });
    const place = { text: question.text, size: question.frame.length };
    expect({ ...place, retval: ours.result.retval, out: hex(ours.out) }).toEqual({
      ...place,
      retval: theirs.retval,
      out: theirs.out,
    });
  }
}

const on = (type: string, sizes: readonly number[], texts: readonly string[]): Question[] =>
  sizes.flatMap((size) => texts.map((text) => ({ type, text, frame: frameOf(size) })));

const SAVE = 'r6 = r1\n';
/** Puts the 8 bytes at fp-8 into the packet behind the Ethernet header; r0 is kept. */
const SHOW = `
  r7 = r0
  r1 = r6
  r2 = 16
  r3 = r10
  r3 += -8
  r4 = 8
  call bpf_xdp_store_bytes
  r0 = r7
  exit`;

const available = kernelAvailable();

const TYPES = ['xdp', 'sched_cls', 'sched_act', 'socket_filter', 'cgroup_skb', 'lwt_in', 'lwt_out', 'lwt_xmit'];

describe.skipIf(available !== true)(`helpers against the kernel${available === true ? '' : ` (${available})`}`, () => {
  it('move the edges of an XDP packet as far as Linux lets them, linear or in fragments', () => {
    const move = (helper: string, delta: number) => `
      r1 = r6
      r2 = ${delta}
      call bpf_xdp_adjust_${helper}
      r7 <<= 4
      r7 ^= r0`;
    const programOf = (...moves: string[]) => `${SAVE} r7 = 0 ${moves.join('')}\n r0 = r7\n exit`;
    const deltas = {
      head: [0, 1, -1, 84, 85, 46, -40, -215, -216, -217, 3506, 3507, 4000, 2147483647, -2147483648],
      meta: [0, -4, -3, -32, -36, -216, -220, 4, -2147483648],
      tail: [0, 1, -1, -84, -85, -46, 3422, 3423, 3460, 2616, 2617, 2698, 2699, -1480, -1481, -4986, -4987, 2147483647],
    };
    const single = Object.entries(deltas).flatMap(([helper, list]) =>
      list.map((delta) => programOf(move(helper, delta))),
    );
    const several = [
      programOf(move('meta', -8), move('head', -20), move('tail', 10)),
      programOf(move('meta', -8), move('head', -208)),
      programOf(move('meta', -8), move('head', -209)),
      programOf(move('head', 20), move('meta', -8), move('head', -20), move('meta', 4)),
      programOf(move('head', -10), move('tail', 3422)),
      programOf(move('head', 10), move('tail', 3423)),
      programOf(move('tail', -40), move('tail', 40)),
      programOf(move('tail', -1480), move('tail', 1), move('tail', 0)),
      programOf(move('tail', -1479), move('tail', 4095), move('tail', 1)),
      programOf(move('tail', -3000), move('tail', 1500), move('tail', 1)),
      programOf(move('head', 3506), move('tail', -100), move('head', -200)),
    ];
    compare(on('xdp', [14, 60, 98, 3520, 3521, 5000, 9014], [...single, ...several]));
  });

  it('read and write the bytes of an XDP packet, fragments included', () => {
    const texts = [0, 1, 50, 90, 91, 3516, 4990, 4992, 4993, 65535, 65536, -1].flatMap((offset) => [
      `${SAVE} *(u64 *)(r10 - 8) = 0
       r2 = ${offset}
       r3 = r10
       r3 += -8
       r4 = 8
       call bpf_xdp_load_bytes ${SHOW}`,
      `${SAVE} *(u64 *)(r10 - 8) = 305419896
       r2 = ${offset}
       r3 = r10
       r3 += -8
       r4 = 8
       call bpf_xdp_store_bytes
       r7 = r0
       r1 = r6
       call bpf_xdp_get_buff_len
       r0 <<= 8
       r0 ^= r7
       exit`,
    ]);
    compare(on('xdp', [24, 98, 5000], texts));
  });

  it('answer redirects by program type, flags and what the map holds', () => {
    const flags = [0, 1, 2, 3, 4, 8, 16, 24, 27, 32, -1];
    const simple = (helper: string) =>
      flags.flatMap((flag) => [1, 77].map((to) => `r1 = ${to}\n r2 = ${flag}\n call ${helper}\n exit`));
    const toMap = ['devices', 'cpus', 'sockets'].flatMap((map) =>
      [0, 1, 4, -1].flatMap((key) =>
        flags.map((flag) => `r1 = map[${map}] ll\n r2 = ${key}\n r3 = ${flag}\n call bpf_redirect_map\n exit`),
      ),
    );
    const neighbour = [0, 19, 20].flatMap((size) =>
      flags.map(
        (flag) => `
          *(u64 *)(r10 - 24) = 2
          *(u64 *)(r10 - 16) = 0
          *(u64 *)(r10 - 8) = 0
          r1 = 1
          r2 = ${size === 0 ? 0 : 'r10'}
          ${size === 0 ? '' : 'r2 += -24'}
          r3 = ${size}
          r4 = ${flag}
          call bpf_redirect_neigh
          exit`,
      ),
    );
    compare([
      ...on('xdp', [98], [...simple('bpf_redirect'), ...toMap]),
      ...on('sched_cls', [98], [...simple('bpf_redirect'), ...simple('bpf_redirect_peer'), ...neighbour]),
      ...on('lwt_xmit', [98], simple('bpf_redirect')),
    ]);
  });

  it('check an MTU', () => {
    const check = (ifindex: number, given: number, difference: number, flags: number) => `${SAVE}
      *(u64 *)(r10 - 8) = ${given}
      r2 = ${ifindex}
      r3 = r10
      r3 += -8
      r4 = ${difference}
      r5 = ${flags}
      call bpf_check_mtu
      r1 = *(u32 *)(r10 - 8)
      r1 <<= 12
      r0 ^= r1
      exit`;
    const texts = [0, 1, 99999].flatMap((ifindex) =>
      [0, 1500, 65536, 65537, 65550, 65551].flatMap((given) =>
        [0, 1, -1, 65452, 65453].flatMap((difference) =>
          [0, 1, 2].map((flags) => check(ifindex, given, difference, flags)),
        ),
      ),
    );
    compare([...on('xdp', [98], texts), ...on('sched_cls', [98], texts)]);
  });

  it('sum checksum differences of any bytes and sizes', () => {
    const random = seededRandom(7);
    const words = () => (random.below(3) === 0 ? [0, -1, 1, 0xffff, -65536][random.below(5)]! : random.u32() | 0);
    const asked = (from: number, to: number, word: () => number, seed: number) => {
      const fill = Array.from({ length: 8 }, (_, i) => `*(u32 *)(r10 - ${4 * (i + 1)}) = ${word()}`).join('\n');
      return `${SAVE} ${fill}
        r1 = r10
        r1 += -32
        r2 = ${from}
        r3 = r10
        r3 += -16
        r4 = ${to}
        w5 = ${seed}
        call bpf_csum_diff
        *(u64 *)(r10 - 8) = r0 ${SHOW}`;
    };
    const any = Array.from({ length: 300 }, () => asked(random.below(17), random.below(17), words, words()));
    // Ones' complement has two zeroes: which of them a difference of equals gives.
    const same = [0, -1, 1, 0xffff, -65536].flatMap((word) =>
      [0, -1, word].flatMap((seed) =>
        [0, 3, 4, 8].flatMap((from) => [0, 3, 4, 8].map((to) => asked(from, to, () => word, seed))),
      ),
    );
    compare(on('xdp', [98], [...any, ...same]));
  });

  it('find no socket, and say of the one that a packet has what Linux says', () => {
    const asked = (call: string) => `r6 = r1
      r0 = 7777
      r7 = *(u64 *)(r1 + 168)
      if r7 == 0 goto out
      *(u64 *)(r10 - 40) = 0
      *(u64 *)(r10 - 32) = 0
      *(u64 *)(r10 - 24) = 0
      *(u64 *)(r10 - 16) = 0
      *(u64 *)(r10 - 8) = 0
      r1 = r7
      r2 = r10
      r2 += -40
      r3 = 20
      r4 = r10
      r4 += -20
      r5 = 20
      ${call}
      out: exit`;
    const found = (name: string) => asked(`call bpf_${name}\nif r0 == 0 goto out\nr0 = 5`);
    const looked = (name: string, size: number, flags: number) =>
      asked(`r1 = r6\nr3 = ${size}\nr4 = -1\nr5 = ${flags}\ncall bpf_${name}
        if r0 == 0 goto out\nr1 = r0\ncall bpf_sk_release\nr0 = 5`);
    const casts = ['tcp6', 'tcp', 'tcp_timewait', 'tcp_request', 'udp6'].map((name) => `skc_to_${name}_sock`);
    const texts = [
      ...['tcp_sock', 'get_listener_sock', ...casts].map(found),
      ...['sk_lookup_tcp', 'sk_lookup_udp', 'skc_lookup_tcp'].flatMap((name) =>
        [12, 36, 20].flatMap((size) => [0, 1].map((flags) => looked(name, size, flags))),
      ),
      ...['tcp_check_syncookie', 'tcp_gen_syncookie'].map((name) => asked(`call bpf_${name}`)),
      ...[0, 1].map((flags) => asked(`r1 = r6\nr2 = r7\nr3 = ${flags}\ncall bpf_sk_assign`)),
    ];
    compare(on('sched_cls', [98], texts));
  });

  it('read numbers', () => {
    const numbers = [
      '0', '7', '-7', ' 12', '\t\n 12x', '- 1', '-', '', '+1', '0x1f', '0X1F', '0x', '0xg', '0xG1', '017', '08', '018', '--1',
      '-0x10', '- 0', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
      '18446744073709551615', '18446744073709551616', '-18446744073709551615', '99999999999999999999999', '0777777777777777777777777',
      '1777777777777777777777', '2000000000000000000000', 'ffffffffffffffff', 'ffffffffffffffff0', '\xa05', '\x0b5', 'abc', '12 34',
      `${'0'.repeat(62)}12`, `${'0'.repeat(70)}1`, `${' '.repeat(70)}1`, `-${'0'.repeat(63)}1`, `0x${'0'.repeat(62)}1`,
    ]; // biome-ignore format: a list
    const texts = numbers.flatMap((number) =>
      [0, 8, 10, 16, 2, 31, 32].flatMap((base) =>
        ['strtol', 'strtoul'].flatMap((helper) => {
          const bytes = new Uint8Array(80);
          bytes.set(Buffer.from(number, 'latin1'));
          const view = new DataView(bytes.buffer);
          const fill = Array.from({ length: 20 }, (_, i) => {
            return `*(u32 *)(r10 - ${88 - 4 * i}) = ${view.getInt32(4 * i, true)}`;
          }).join('\n');
          return [number.length, 80].map(
            (size) => `${SAVE} *(u64 *)(r10 - 8) = 99
              ${fill}
              r1 = r10
              r1 += -88
              r2 = ${Math.max(1, size)}
              r3 = ${base}
              r4 = r10
              r4 += -8
              call bpf_${helper} ${SHOW}`,
          );
        }),
      ),
    );
    compare(on('xdp', [98], texts));
  });

  it('keep, take and refuse what goes into maps', () => {
    const KEY = (value: number) => `*(u32 *)(r10 - 4) = ${value}\n r2 = r10\n r2 += -4`;
    const VALUE = 'r3 = r10\n r3 += -16';
    const update = (map: string, key: number, flags: number) =>
      `r1 = map[${map}] ll\n ${KEY(key)}\n ${VALUE}\n r4 = ${flags}\n call bpf_map_update_elem`;
    const then = '\n r8 <<= 8\n r8 ^= r0\n';
    const start = `${SAVE} r8 = 0\n *(u64 *)(r10 - 16) = 5\n`;
    const fetch = (map: string, key: number) => `r1 = map[${map}] ll\n ${KEY(key)}\n call bpf_map_lookup_elem
      if r0 == 0 goto +1\n r0 = *(u64 *)(r0 + 0)`;
    const remove = (map: string, key: number) => `r1 = map[${map}] ll\n ${KEY(key)}\n call bpf_map_delete_elem`;
    const percpu = (key: number, cpu: number) => `r1 = map[percpu] ll\n ${KEY(key)}\n r3 = ${cpu}
      call bpf_map_lookup_percpu_elem\n if r0 == 0 goto +1\n r0 = 1`;
    const queue = (what: string, flags = 0) => `r1 = map[queue] ll\n r2 = r10\n r2 += -16\n r3 = ${flags}
      call bpf_map_${what}_elem`;
    const programs = [
      ...[0, 1, 2, 4, 8].flatMap((flags) => [1, 2].map((key) => [update('hash', key, flags), fetch('hash', key)])),
      [update('hash', 1, 0), update('hash', 2, 0), update('hash', 3, 0), remove('hash', 2), remove('hash', 2)],
      [update('percpu', 1, 0), fetch('percpu', 1), percpu(1, 0), percpu(2, 0), percpu(1, 8192), remove('percpu', 1)],
      [queue('push'), queue('push', 2), queue('push'), queue('push'), queue('peek'), queue('pop'), queue('pop')],
      [queue('pop'), queue('push', 4), queue('peek')],
    ];
    compareAlone(
      on(
        'xdp',
        [98],
        programs.map((steps) => `${start}${steps.join(then)}${then} r0 = r8\n exit`),
      ),
    );
  });

  it('send events and refuse them', () => {
    const output = (flags: string, size: number) => `${SAVE} *(u64 *)(r10 - 8) = 5
      r2 = map[events] ll
      r3 = ${flags} ll
      r4 = r10
      r4 += -8
      r5 = ${size}
      call bpf_perf_event_output
      exit`;
    // No one opened an event in the kernel: what a slot answers that has one shows in the example programs.
    const perf = ['3', '4', '0xfffffffe', '0x0000006200000003', '0x0000006300000001', '0x0010000000000000'];
    const ring = [
      ...[0, 1, 2, 3, 4].map((flags) => `*(u64 *)(r10 - 8) = 5
        r1 = map[ring] ll\n r2 = r10\n r2 += -8\n r3 = 8\n r4 = ${flags}\n call bpf_ringbuf_output
        r6 = r0\n r1 = map[ring] ll\n r2 = 0\n call bpf_ringbuf_query\n r0 <<= 8\n r0 ^= r6\n exit`),
      ...['submit', 'discard'].flatMap((end) => [8, 4080, 4088, 4089].map((size) => `
        r1 = map[ring] ll\n r2 = ${size}\n r3 = 0\n call bpf_ringbuf_reserve
        if r0 == 0 goto full
        *(u8 *)(r0 + ${size - 1}) = 7
        r1 = r0\n r2 = 0\n call bpf_ringbuf_${end}
        r1 = map[ring] ll\n r2 = 3\n call bpf_ringbuf_query
        exit
        full: r0 = 1\n exit`)),
    ]; // biome-ignore format: programs
    compare([
      ...on('xdp', [98], [...perf.map((flags) => output(flags, 8)), ...perf.map((flags) => output(flags, 0))]),
      ...on(
        'sched_cls',
        [98],
        perf.map((flags) => output(flags, 8)),
      ),
      ...on(
        'cgroup_skb',
        [98],
        perf.map((flags) => output(flags, 8).replace('exit', 'r0 = 1\n exit')),
      ),
    ]);
    compareAlone(on('xdp', [98], ring));
  });

  it('are all there, for the program types that Linux lets call them', () => {
    const calls = HELPER_NAMES.flatMap((name, id) => (id === 0 ? [] : TYPES.map((type) => ({ name, id, type }))));
    const answers = askRaw(
      calls.map(({ id, type }) => ({ type, instructions: assembleQuestion({ text: `call ${id}\n exit` }) })),
    );
    const allowed = (programTypes: 'all' | readonly string[] = [], type: string) =>
      programTypes === 'all' || programTypes.includes(type);
    const differences = calls.flatMap(({ name, id, type }, i) => {
      const theirs = !/cannot use helper|not supported for|might sleep/.test(answers[i]!.reason ?? '');
      const ours = allowed(helpers.get(id)?.prototype.programTypes, type);
      return ours === theirs ? [] : [`${type} ${name}: ${ours ? 'only here' : 'only in Linux'}`];
    });
    expect(differences).toEqual([]);
  });
});
