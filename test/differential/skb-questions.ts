import { seededRandom } from '../../src/base/random.ts';
import {
  ALL,
  ask,
  CB,
  call,
  FILL,
  field,
  MEMORY,
  product,
  program,
  type Question,
  rows,
  SHOW_MEMORY,
  STACK,
  USUAL,
} from './skb-program.ts';

export type Groups = Readonly<Record<string, readonly Question[]>>;

const OFFSETS = [0, 1, 13, 14, 30, 45, 46, 56, 57, 83, 84, 97, 98, 65535, 65536, 0x7fffffff, -1, -4];
/** In network byte order, as the helpers take them. */
const IP = 0x0008;
const IPV6 = 0xdd86;
const Q = 0x0081;
const AD = 0xa888;
const WORDS = [0n, 1n, 0xffffn, 0x10000n, 0xffff0000n, 0xffffffffn, 0x12345678n, 0x1_0000_0001n, -1n];

const push = (protocol: number, tci: number) => call('skb_vlan_push', protocol, tci);
const pop = call('skb_vlan_pop');
const room = (size: number, mode: number, flags: number | bigint = 0) => call('skb_adjust_room', size, mode, flags);
const encapL2 = (bytes: number, flags: number) => (BigInt(bytes) << 56n) | BigInt(flags);

function anything(count: number): Question[] {
  const random = seededRandom(18);
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const steps: readonly (() => string)[] = [
    () => push(pick([Q, AD, 0]), random.below(0x20000)),
    () => pop,
    () => pop,
    () =>
      room(random.below(120) - 60, random.below(2), pick([0, 0, 1, 2, 4, 0x0a, 0x0c, 0x12, 0x14, 0x20, 0x80, 0x100])),
    () => room(random.below(40), 1, encapL2(pick([0, 14, 18]), pick([2, 0x42, 0x4a, 0x14, 0x52]))),
    () => call('skb_change_head', random.below(pick([40, 40, 200])), 0),
    () => call('skb_change_tail', 10 + random.below(120), 0),
    () => call('skb_change_proto', pick([IP, IPV6]), 0),
    () => call('skb_change_type', random.below(5)),
    () => call('skb_store_bytes', random.below(100), MEMORY, 1 + random.below(16), random.below(4)),
    () => call('l3_csum_replace', 2 * random.below(50), pick(WORDS), pick(WORDS), pick([2, 4])),
    () => call('l4_csum_replace', 2 * random.below(50), pick(WORDS), pick(WORDS), pick([2, 4, 0x12, 0x14, 0x34, 0x62])),
    () => call('set_hash', random.u32()),
    () => call('set_hash_invalid'),
    () => call('csum_level', random.below(4)),
    () => call('skb_ecn_set_ce'),
    () => call('skb_pull_data', random.below(120)),
  ];
  return Array.from({ length: count }, () => {
    const list = Array.from({ length: 2 + random.below(7) }, () => pick(steps)());
    return { type: 'sched_cls', frame: pick(ALL), text: program('sched_cls', ...list) };
  });
}

function contextWrites(): Question[] {
  const writable = { mark: 8, queue_mapping: 12, priority: 32, tc_index: 44, tc_classid: 72 };
  return Object.values(writable).flatMap((offset) =>
    [0, 7, 65533, 65534, 65535, 65536, 65537, -1].flatMap((value) =>
      // A negative number for queue_mapping is taken as an immediate and not from a register: a slip of the kernel.
      (offset === 12 && value < 0 ? [`r1 = ${value}\n`] : ['', `r1 = ${value}\n`]).map(
        (load): Question => ({
          type: 'sched_cls',
          frame: 'ipv4',
          text: `r6 = r1
          *(u32 *)(r6 + ${offset}) = 9
          ${load}*(u32 *)(r6 + ${offset}) = ${load === '' ? value : 'r1'}
          ${field(offset, CB)}
          ${field(offset, CB + 4, 16)}
          r0 = 0
          exit`,
        }),
      ),
    ),
  );
}

function timestamps(): Question[] {
  return USUAL.flatMap((frame) =>
    product([0, 5, -1], [0, 1, 2, 3, -1]).map(
      ([time, clock]): Question => ({
        type: 'sched_cls',
        frame,
        text: `r6 = r1
        r7 = 0
        *(u64 *)(r6 + 152) = 77
        ${call('skb_set_tstamp', time, clock)}
        *(u32 *)(r6 + ${CB}) = r7
        ${field(152, CB + 4, 64)}
        ${field(180, CB + 8, 8)}
        *(u64 *)(r6 + 152) = 78
        ${field(180, CB + 12, 8)}
        r0 = r7
        exit`,
      }),
    ),
  );
}

const TUNNEL_SIZES = [1, 4, 8, 20, 22, 23, 24, 28, 43, 44, 45, 48];
const setKey = (size = 44, flags: number | bigint = 0, ext = 0, label = 0) =>
  `*(u16 *)(r10 - ${STACK - 22}) = ${ext}\n*(u32 *)(r10 - ${STACK - 24}) = ${label}\n${call('skb_set_tunnel_key', MEMORY, size, flags)}`;
const getKey = (size = 44, flags: number | bigint = 0) =>
  `${FILL}\n${call('skb_get_tunnel_key', MEMORY, size, flags)}\n${SHOW_ALL()}`;
const setOptions = (size: number) => call('skb_set_tunnel_opt', MEMORY, size);
const getOptions = (size: number) => `${FILL}\n${call('skb_get_tunnel_opt', MEMORY, size)}\n${SHOW_ALL()}`;

/** All scratch bytes to the front of the packet. */
function SHOW_ALL(): string {
  return SHOW_MEMORY.replace('r4 = 14', `r4 = ${STACK}`);
}

export const GROUPS: Groups = {
  'load bytes': ask(
    product(OFFSETS, [1, 4, 16]).map(([offset, size]) => [call('skb_load_bytes', offset, MEMORY, size), SHOW_MEMORY]),
  ),
  'load bytes, other types': ask(
    product(OFFSETS, [4, 16]).map(([offset, size]) => [call('skb_load_bytes', offset, MEMORY, size)]),
    ['ipv4', 'short'],
    ['cgroup_skb', 'socket_filter', 'lwt_in'],
  ),
  'load bytes from a header': ask(
    product(OFFSETS, [0, 1, 2, -1]).map(([offset, base]) => [call('skb_load_bytes_relative', offset, MEMORY, 4, base)]),
    ['ipv4', 'qinq', 'short'],
    ['sched_cls', 'cgroup_skb', 'socket_filter'],
  ),
  'store bytes': ask(
    product(OFFSETS, [1, 7], [0, 1, 2, 3, 4, 0x1_0000_0000n]).map(([offset, size, flags]) => [
      call('set_hash', 7),
      call('skb_store_bytes', offset, MEMORY, size, flags),
    ]),
    ['ipv4', 'short'],
    ['sched_cls'],
  ),
  'store bytes behind the Ethernet header': ask(
    OFFSETS.map((offset) => [call('skb_store_bytes', offset, MEMORY, 7, 0)]),
    ['ipv4'],
    ['lwt_xmit'],
  ),
  'L3 checksums': [
    ...ask(
      product([0, 24, 25, 96, 97, 98, 65534, 65536, -2], [0, 1, 2, 3, 4, 8, 16, 0x1_0000_0002n]).map(
        ([offset, flags]) => [
          call('l3_csum_replace', offset, 0x1234, 0x8765, flags),
          call('l3_csum_replace', offset, 0, 0x8765, flags),
        ],
      ),
      ['ipv4', 'short'],
    ),
    ...ask(
      product(WORDS, WORDS, [0, 2, 4], [0, 24, 40]).map(([from, to, size, at]) => [
        call('l3_csum_replace', at, from, to, size),
      ]),
      ['ipv4'],
    ),
  ],
  'L4 checksums': [
    ...ask(
      [...Array(256).keys(), 256, 0x1000, 0x1_0000_0002n].map((flags) => [
        call('l4_csum_replace', 40, 0, 0x8765, flags),
        call('l4_csum_replace', 34, 0x1234, 0x8765, flags),
      ]),
      ['ipv4'],
    ),
    ...ask(
      [0, 25, 96, 97, 98, 65534, 65536, -2].map((offset) => [call('l4_csum_replace', offset, 1, 2, 2)]),
      ['ipv4', 'short'],
    ),
    ...ask(
      product(WORDS, WORDS, [0, 2, 4, 0x10, 0x12, 0x14, 0x30, 0x32, 0x34, 0x60, 0x72, 0x74]).map(
        ([from, to, flags]) => [
          call('l4_csum_replace', 24, from, to, flags),
          call('l4_csum_replace', 40, from, to, flags),
        ],
      ),
      ['ipv4'],
    ),
  ],
  'checksum levels': ask(
    [
      ...rows(
        [0, 1, 2, 3].map((operation) => call('csum_level', operation)),
        4,
      ),
      ...[4, -1, 0x1_0000_0001n].map((operation) => [call('csum_level', operation)]),
      [call('csum_update', 5)],
    ],
    ['ipv4'],
  ),
  'checksum levels after making room': ask(
    product([1, 3], [0, 0x20], [8, -8]).map(([times, flags, size]) => [
      ...Array<string>(times).fill(call('csum_level', 1)),
      room(size, 1, flags),
      call('csum_level', 0),
    ]),
    ['ipv4'],
  ),
  'pull data': ask(
    [0, 1, 13, 14, 60, 61, 98, 99, 65536, -1].map((size) => [call('skb_pull_data', size)]),
    USUAL,
    ['sched_cls', 'lwt_xmit', 'lwt_in'],
  ),
  'change head': ask(
    product([0, 1, 4, 14, 100, 15966, 15967, 16050, 16051, 0x7fffffff, -1], [0, 1]).map(([size, flags]) => [
      call('skb_change_head', size, flags),
    ]),
    ['ipv4', 'qinq', 'short'],
    ['sched_cls', 'lwt_xmit'],
  ),
  'change tail': ask(
    product([0, 1, 13, 14, 20, 33, 34, 54, 97, 98, 99, 1000, 16064, 16065, -1], [0, 1]).map(([size, flags]) => [
      call('skb_change_tail', size, flags),
    ]),
    USUAL,
    ['sched_cls', 'lwt_xmit'],
  ),
  'change both ends': ask([
    [
      call('skb_change_head', 20, 0),
      call('skb_change_tail', 33, 0),
      call('skb_change_tail', 34, 0),
      call('skb_change_tail', 90, 0),
    ],
    Array.from({ length: 5 }, () => [
      call('skb_change_head', 3000, 0),
      room(-2900, 1),
      call('skb_change_tail', 16064, 0),
    ]).flat(),
    Array.from({ length: 8 }, () => [room(4000, 1), call('skb_change_tail', 60, 0)]).flat(),
    Array.from({ length: 8 }, () => [call('skb_change_tail', 16064, 0), room(-4000, 1)]).flat(),
    [call('skb_change_tail', 40, 0), room(20, 0), call('skb_change_tail', 60, 0)],
  ]),
  'change type': ask([0, 1, 2, 3, 4, 7, -1, 0x1_0000_0001n].map((type) => [call('skb_change_type', type)])),
  'change protocol': ask(
    [
      ...product([IP, IPV6, 0x0608, 0, 0x10000 | IPV6, 0x10000 | IP], [0, 1]).map(([protocol, flags]) => [
        call('set_hash', 5),
        call('skb_change_proto', protocol, flags),
      ]),
      [call('skb_change_proto', IPV6, 0), call('skb_change_proto', IP, 0)],
      [call('skb_change_proto', IP, 0), call('skb_change_proto', IPV6, 0), room(-20, 0)],
      [call('skb_change_tail', 20, 0), call('skb_change_proto', IP, 0)],
      [call('skb_change_head', 8, 0), call('skb_change_proto', IPV6, 0)],
      [push(Q, 5), call('skb_change_proto', IPV6, 0), push(Q, 6)],
    ],
    ALL,
  ),
  'adjust room': [
    ...ask(
      product([0, 1, 8, 40, 4095, 4096, -1, -8, -29, -44, -64, -65, -4095, -4096, -0x80000000], [0, 1, 2, -1]).map(
        ([size, mode]) => [room(size, mode)],
      ),
      ALL,
    ),
    ...ask(
      product(
        [24, -8],
        [0, 1],
        [...Array(513).keys()].filter((flags) => (flags & (flags - 1)) === 0 || flags < 128 || (flags & 0x7f) === 0),
      ).map(([size, mode, flags]) => [room(size, mode, flags)]),
      ['ipv4', 'ipv6'],
    ),
    ...ask(
      product([8, 14, 24, 60], [0, 1, 14, 18, 255], [0, 2, 4, 0x0a, 0x14, 0x40, 0x42, 0x4a, 0x54]).map(
        ([size, inner, flags]) => [room(size, 1, encapL2(inner, flags))],
      ),
      ['ipv4', 'ipv6'],
    ),
    ...ask(
      product([-8, -20], [0, 14], [0, 0x80, 0x100, 0x180]).map(([size, inner, flags]) => [
        room(size, 1, encapL2(inner, flags)),
      ]),
      ['ipv4', 'ipv6'],
    ),
    ...ask(
      [1n << 32n, 1n << 55n, -1n].map((flags) => [room(8, 1, flags)]),
      ['ipv4'],
    ),
    ...ask(
      [
        [room(20, 1, 2), room(20, 1, 2)],
        [room(20, 1, 2), room(-20, 1), room(20, 1, 2)],
        [room(20, 1, 2), room(-20, 1, 0x80), room(40, 1, 4)],
        [room(40, 1, 4), room(-40, 1, 0x80)],
        [room(28, 1, 0x12), call('skb_change_tail', 33, 0), call('skb_change_tail', 40, 0)],
        [room(48, 1, 0x14), call('skb_change_tail', 53, 0), call('skb_change_tail', 54, 0)],
        ...[117, 118, 119, 1000].map((size) => [
          room(20, 1, 2),
          call('skb_change_tail', size, 0),
          call('skb_change_head', 8, 0),
        ]),
        [room(20, 1, 2), pop, push(Q, 5), push(Q, 6), pop, room(-20, 1, 0x80), call('skb_change_tail', 90, 0)],
        [room(28, 1, 0x12), room(8, 1), call('skb_change_tail', 41, 0), call('skb_change_tail', 42, 0)],
        [
          room(28, 1, 0x12),
          call('skb_change_proto', IPV6, 0),
          call('skb_change_tail', 53, 0),
          call('skb_change_tail', 54, 0),
        ],
        [call('skb_change_head', 6, 0), room(20, 1, 2)],
        [call('skb_change_head', 6, 0), room(20, 0)],
        [push(Q, 5), push(Q, 6), room(20, 1)],
        [room(-20, 1, 0x100), room(-8, 1)],
        [room(-30, 1, 0x80), room(-8, 1)],
      ],
      ALL,
    ),
  ],
  'VLAN tags': [
    ...ask(rows([push(Q, 5), push(AD, 0xffff), pop], 4), ALL),
    ...ask(
      product([Q, AD, 0, IP, 0x10000 | AD, -1], [0, 1, 0x1000, 0xffff, 0x10000, -1]).map(([protocol, tci]) => [
        push(protocol, tci),
      ]),
      ['ipv4'],
    ),
    ...ask(
      [
        [push(Q, 5), push(Q, 6), call('skb_change_tail', 16, 0), pop, pop],
        [call('skb_change_tail', 17, 0), pop],
        [call('skb_change_tail', 18, 0), pop],
        [call('skb_change_tail', 14, 0), pop],
        [call('skb_change_head', 4, 0), pop],
        [call('skb_change_head', 4, 0), push(Q, 5), push(Q, 6)],
        [call('skb_change_head', 4, 0), push(Q, 5), push(Q, 6), pop, pop],
        [push(Q, 5), push(Q, 6), room(8, 1)],
        [pop, room(8, 1), push(Q, 1), push(Q, 2)],
      ],
      ALL,
    ),
  ],
  hash: ask(
    [
      [call('set_hash', 7), call('get_hash_recalc')],
      [call('set_hash', 0), call('get_hash_recalc')],
      [call('set_hash', -1), call('get_hash_recalc')],
      [
        call('get_hash_recalc'),
        'r8 = r7',
        'r1 = *(u32 *)(r6 + 68)',
        'r7 = 1',
        'if r1 == r8 goto +1',
        'r7 = 2',
        call('set_hash_invalid'),
      ],
      [call('get_hash_recalc'), 'r8 = r7', 'r7 = 0', call('get_hash_recalc'), 'r7 ^= r8', call('set_hash_invalid')],
      [call('get_hash_recalc'), 'r7 = 0', call('set_hash', 9), call('get_hash_recalc')],
      [call('set_hash', 9), call('set_hash_invalid')],
      [call('set_hash', 9), call('skb_change_head', 4, 0)],
      [call('set_hash', 9), push(Q, 5), pop],
      [call('set_hash', 9), room(8, 1)],
    ],
    ALL,
  ),
  'tunnel keys': ask(
    [
      [getKey()],
      ...TUNNEL_SIZES.flatMap((size) => [
        [setKey(size), getKey()],
        [setKey(), getKey(size)],
        [setKey(44, 1), getKey(size, 1)],
      ]),
      ...[0, 1, 2, 4, 8, 16, 0x1e, 0x1f, 0x20, 0x40, 0x1_0000_0000n].flatMap((flags) => [
        [setKey(44, flags), getKey(44, 16)],
        [setKey(44, flags), getKey(44, 17)],
        [setKey(), getKey(44, flags)],
        [setKey(44, 1), getKey(44, flags)],
      ]),
      ...product([0, 1], [0, 1], [0, 5, 0x7fffffff]).map(([flags, ext, label]) => [
        setKey(44, flags, ext, label),
        getKey(44, flags),
      ]),
      [setKey(), setKey(44, 32), getKey()],
      [setKey(), setKey(44, 1), getKey(44, 1)],
    ],
    ['ipv4'],
  ),
  'tunnel options': ask(
    [
      [setOptions(8)],
      [getOptions(8)],
      [setKey(), getOptions(8)],
      ...product([1, 3, 4, 8, 60, 64], [1, 4, 7, 8, 9, 64]).map(([set, get]) => [
        setKey(),
        setOptions(set),
        getOptions(get),
      ]),
      [setKey(), setOptions(8), setKey(), getOptions(8)],
      [setKey(), setOptions(8), setOptions(4), getOptions(8)],
      [setKey(44, 1), setOptions(8), getOptions(8)],
      [setKey(), setOptions(8), getKey(44, 16)],
      [setKey(), setOptions(8), getKey(44, 0)],
    ],
    ['ipv4'],
  ),
  'clone redirect': ask(
    product([0, 1, 77, -1], [0, 1, 2, 3, 0x1_0000_0000n]).map(([ifindex, flags]) => [
      call('clone_redirect', ifindex, flags),
    ]),
    ['ipv4', 'short'],
    ['sched_cls', 'lwt_xmit'],
  ),
  'sockets and cgroups': [
    ...ask([
      [call('get_cgroup_classid')],
      [call('skb_cgroup_classid')],
      [call('get_route_realm')],
      [call('get_socket_uid')],
      [call('skb_cgroup_id')],
      ...[-1, 0, 1, 2].map((level) => [call('skb_ancestor_cgroup_id', level)]),
    ]),
    ...ask([[call('get_socket_uid')], [call('get_cgroup_classid')]], ['ipv4'], ['cgroup_skb', 'socket_filter']),
    ...ask([[call('skb_cgroup_id')], [call('skb_ancestor_cgroup_id', 0)]], ['ipv4'], ['cgroup_skb']),
  ],
  ecn: [
    ...ask(
      [0, 1, 2, 3, 0xfd, 0xfe].map((tos) => [
        `*(u8 *)(r10 - ${STACK}) = ${tos}`,
        call('skb_store_bytes', 15, MEMORY, 1, 0),
        call('skb_ecn_set_ce'),
        call('skb_ecn_set_ce'),
      ]),
      ['ipv4', 'short'],
    ),
    ...ask(
      [0, 1, 2, 3, 0xf].map((low) => [
        `*(u16 *)(r10 - ${STACK}) = ${0x61 | (low << 12)}`,
        call('skb_store_bytes', 14, MEMORY, 2, 0),
        call('skb_ecn_set_ce'),
      ]),
      ['ipv6'],
    ),
    ...ask(
      [1, 2, 3].map((tos) => [
        `*(u8 *)(r10 - ${STACK}) = ${tos}`,
        call('skb_store_bytes', 19, MEMORY, 1, 0),
        call('skb_ecn_set_ce'),
        pop,
        call('skb_ecn_set_ce'),
      ]),
      ['vlan'],
    ),
    ...ask(
      [
        [
          `*(u16 *)(r10 - ${STACK}) = 0x145`,
          call('skb_store_bytes', 14, MEMORY, 2, 0),
          call('skb_change_tail', 33, 0),
          call('skb_ecn_set_ce'),
        ],
        [
          `*(u16 *)(r10 - ${STACK}) = 0x145`,
          call('skb_store_bytes', 14, MEMORY, 2, 0),
          call('skb_change_tail', 34, 0),
          call('skb_ecn_set_ce'),
        ],
      ],
      ['ipv4'],
    ),
    ...ask([[call('skb_ecn_set_ce')]], ALL, ['sched_cls', 'cgroup_skb']),
  ],
  'writes to the context': contextWrites(),
  timestamps: timestamps(),
  'whole return values': ask(
    [
      call('skb_load_bytes', -1, MEMORY, 4),
      call('skb_store_bytes', -1, MEMORY, 4, 0),
      call('csum_level', 0),
      call('csum_update', 1),
      call('skb_pull_data', -1),
      call('skb_change_head', -1, 0),
      call('skb_adjust_room', 5000, 0, 0),
      call('skb_change_proto', 0, 0),
      call('get_hash_recalc'),
      call('set_hash', -1),
      `${call('set_hash', -1)}\nr7 = 0\n${call('get_hash_recalc')}`,
      call('clone_redirect', 77, 0),
      call('skb_get_tunnel_key', MEMORY, 44, 0),
    ].map((step) => [step, 'r7 s>>= 32', 'r1 = r6\ncall bpf_set_hash_invalid']),
    ['ipv4'],
  ),
  'anything in a row': anything(1500),
};
