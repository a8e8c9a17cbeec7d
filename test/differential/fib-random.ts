/** Random networks, as ip commands, and random questions about them. */

import type { Random } from '../../src/base/random.ts';
import type { Asked } from './fib.ts';

/** The ends a0 … a4 are the host's interfaces; b0 … b4 are their other ends, in the same namespace, without addresses. */
const PORTS = [0, 1, 2, 3, 4] as const;
const TABLES = ['main', 'main', 'main', 'local', 'default', '77', '78'] as const;

interface Dice extends Random {
  pick<T>(list: readonly T[]): T;
  /** True one time in so many. */
  oneIn(many: number): boolean;
}

export function diceOf(random: Random): Dice {
  return { ...random, pick: (list) => list[random.below(list.length)]!, oneIn: (many) => random.below(many) === 0 };
}

export interface RandomNetworkOptions {
  /** Without rules, tables are asked as on a host that never had any. */
  readonly rules: boolean;
}

export function randomNetwork(dice: Dice, { rules }: RandomNetworkOptions): string[] {
  return [
    'link set lo up',
    ...PORTS.flatMap((n) => [
      `link add a${n} address 02:00:00:00:0a:0${n} type veth peer name b${n} address 02:00:00:00:0b:0${n}`,
      `link set a${n} mtu ${dice.pick([1500, 1500, 1400, 9000, 1300, 1200])} up`,
      ...(n === 4 ? [] : [`link set b${n} up`]),
      `address add ${ipv4(dice, true)}/${dice.pick([8, 16, 24, 30])} dev a${n}`,
      `address add ${ipv4(dice, true)}/24 dev a${n}`,
      `address add 10.${n}.0.${1 + dice.below(9)}/24 dev a${n} scope ${dice.pick(['global', 'link', 'host'])}`,
      `address add 10.${n}.0.${10 + dice.below(9)}/24 dev a${n}`,
      `-6 address add fd00:${n}::${1 + dice.below(9)}/64 dev a${n} nodad`,
      `-6 address add ${ipv6(dice)}/${dice.pick([32, 64, 128])} dev a${n} nodad ${dice.pick(['', '', 'preferred_lft 0'])}`,
    ]),
    'address add 10.2.0.77/32 dev a2',
    '-6 address add 2001:db8::5/64 dev a2 nodad',
    ...Array.from({ length: 60 }, () => routeLine(dice)),
    ...(rules ? Array.from({ length: 12 }, (_, i) => ruleLine(dice, 100 + i)) : []),
    ...Array.from({ length: 12 }, () => neighbourLine(dice)),
  ];
}

/** Few of each part, so that prefixes lie in one another. */
function ipv4(dice: Dice, isHost = false): string {
  const parts = [10, dice.below(5), dice.pick([0, 0, 1, 64, 128]), dice.pick([0, 1, 2, 3, 17, 128])];
  if (isHost && parts[3] === 0) parts[3] = 1;
  return parts.join('.');
}

function ipv6(dice: Dice): string {
  return `${dice.pick(['fd00', 'fd00', 'fd01', '2001'])}:${dice.below(5)}:${dice.pick(['', '0:1', '8000:0'])}:${dice.below(4)}`.replace(
    /^(\w+:\w+):(\w+:\w+):/,
    '$1:$2::',
  );
}

function masked4(dice: Dice): string {
  const length = dice.pick([0, 8, 9, 16, 17, 24, 25, 30, 32]);
  const value = ipv4(dice)
    .split('.')
    .reduce((sum, part) => sum * 256 + Number(part), 0);
  const kept = length === 0 ? 0 : Math.floor(value / 2 ** (32 - length)) * 2 ** (32 - length);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(kept / 2 ** shift) % 256).join('.')}/${length}`;
}

function masked6(dice: Dice): string {
  const group = dice.below(5);
  return dice.pick([
    '::/0', 'fd00::/8', `fd00:${group}::/32`, `fd00:${group}:8000::/33`, `fd00:${group}::/64`, `fd01:${group}::/64`,
    `fd00:${group}::${dice.below(4)}/128`, `2001:${group}::/32`, `fd00:${group}:0:1::/64`,
  ]); // biome-ignore format: a list
}

function routeLine(dice: Dice): string {
  const isIpv6 = dice.oneIn(2);
  const kind = dice.pick(['blackhole', 'unreachable', 'prohibit', 'throw', ...Array<string>(8).fill('')]);
  const prefix = isIpv6 ? masked6(dice) : masked4(dice);
  const isMultipath = kind === '' && dice.oneIn(8);
  const where = isMultipath ? `${way(dice, isIpv6)} ${way(dice, isIpv6)}` : kind === '' ? hop(dice, isIpv6) : '';
  // Routes of IPv6 with gateways, appended to others of the same metric, become ways of one.
  const verb = isIpv6 && where.includes('via') ? 'add' : 'append';
  const parts = [
    `${isIpv6 ? '-6 ' : ''}route ${verb} ${kind} ${prefix}`,
    `table ${dice.pick(TABLES)}`,
    dice.oneIn(3) ? `metric ${dice.pick([1, 5, 1024, 70000])}` : '',
    !isIpv6 && dice.oneIn(4) ? `tos ${dice.pick(['0x08', '0x10', '0x04', '0x28', '0x90'])}` : '',
    isIpv6 && dice.oneIn(8) ? `from ${masked6(dice)}` : '',
    isIpv6 && dice.oneIn(4) ? `pref ${dice.pick(['low', 'high'])}` : '',
    kind === '' && dice.oneIn(4) ? `src ${isIpv6 ? '2001:db8::5' : '10.2.0.77'}` : '',
    !isIpv6 && kind === '' && dice.oneIn(4) ? `scope ${dice.pick(['global', 'site', 'link', 'host'])}` : '',
    kind === '' && dice.oneIn(4) ? 'mtu 1250' : '',
    where,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function hop(dice: Dice, isIpv6: boolean): string {
  const n = dice.pick(PORTS);
  if (dice.oneIn(12)) return 'dev lo';
  if (dice.oneIn(3)) return `dev a${n}`;
  if (isIpv6) return `via ${gateway6(n)} dev a${n} onlink`;
  return dice.oneIn(5)
    ? `via inet6 ${gateway6(n)} dev a${n} onlink`
    : `via 10.${n}.0.${100 + dice.below(3)} dev a${n} onlink`;
}

const gateway6 = (n: number) => `fd00:${n}::6${n}`;
const way = (dice: Dice, isIpv6: boolean) => `nexthop ${hop(dice, isIpv6)} weight ${1 + dice.below(3)}`;

function neighbourLine(dice: Dice): string {
  const n = dice.pick(PORTS);
  const address = dice.pick([`10.${n}.0.${100 + dice.below(3)}`, gateway6(n), ipv4(dice, true), ipv6(dice)]);
  const state = dice.pick(['permanent', 'permanent', 'stale', 'reachable', 'noarp', 'failed']);
  const family = address.includes(':') ? '-6 ' : '';
  return `${family}neighbour replace ${address} dev a${n} lladdr 02:00:00:01:${n}${n}:${10 + dice.below(80)} nud ${state}`;
}

function ruleLine(dice: Dice, priority: number): string {
  const isIpv6 = dice.oneIn(2);
  const selectors = [
    () => `from ${isIpv6 ? masked6(dice) : masked4(dice)}`,
    () => `to ${isIpv6 ? masked6(dice) : masked4(dice)}`,
    () => `iif ${dice.pick(['a0', 'a1', 'lo', 'nowhere'])}`,
    () => `oif ${dice.pick(['a0', 'a1', 'lo'])}`,
    () => `fwmark ${dice.pick(['1', '5/0xf', '0/1'])}`,
    () => `tos ${dice.pick(['0x08', '0x10', '0x28'])}`,
    () => `ipproto ${dice.pick(['tcp', 'udp'])} dport ${dice.pick(['53', '100-200'])}`,
    () => `ipproto tcp sport ${dice.pick(['80', '400-500'])}`,
    () => `uidrange ${dice.pick(['0-0', '1-5'])}`,
  ];
  const action = dice.pick([
    'table 77', 'table 78', 'table main', 'table 77', 'table 78', 'table main suppress_prefixlength 0',
    'table 77 suppress_prefixlength 16', 'table main suppress_ifgroup default', 'blackhole', 'unreachable', 'prohibit',
    `goto ${priority + 1 + dice.below(3)}`, 'goto 32766', 'nop',
  ]); // biome-ignore format: a list
  const parts = [dice.pick(selectors)(), dice.oneIn(3) ? dice.pick(selectors)() : ''];
  const negated = dice.oneIn(5) ? 'not ' : '';
  return `${isIpv6 ? '-6 ' : ''}rule add ${negated}${parts.join(' ')} pref ${priority} ${action}`;
}

export function randomQuestion(dice: Dice, indices: readonly number[]): Asked {
  const isIpv6 = dice.oneIn(2);
  const near = () =>
    dice.oneIn(3) ? dice.pick([`10.${dice.below(5)}.0.${100 + dice.below(3)}`, ipv4(dice)]) : ipv4(dice);
  const odd = isIpv6
    ? ['::', '::1', 'fe80::1', 'ff02::1', '2001:4860::1']
    : ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '8.8.8.8'];
  const address = () =>
    dice.oneIn(10) ? dice.pick(odd) : isIpv6 ? (dice.oneIn(3) ? gateway6(dice.below(5)) : ipv6(dice)) : near();
  const tos = dice.pick([0, 0, 0, 8, 0x10, 0x11, 0x28, 0x90, 0xff, 4]);
  return {
    type: dice.pick(['xdp', 'sched_cls']),
    ifindex: dice.oneIn(30) ? dice.below(40) : dice.pick(indices),
    source: address(),
    destination: address(),
    tos: isIpv6 ? (tos << 20) >>> 0 : tos,
    protocol: dice.pick([0, 6, 17, 58]),
    sport: dice.pick([0, 80, 443]),
    dport: dice.pick([0, 53, 150]),
    length: dice.pick([0, 0, 0, 82, 1200, 1201, 1250, 1251, 1300, 1301, 1400, 1500, 1501, 9000, 65535]),
    table: dice.pick([0, 77, 78, 253, 254, 255, 12345678]),
    mark: dice.pick([0, 1, 5, 7, 0x15, 0xffff_ffff]),
    flags: dice.pick([0, 0, 0, 1, 2, 3, 4, 8, 9, 16, 20, 32, 36, 18, 26, 11, dice.below(64)]),
    padding: dice.pick([0, 0, 1130, 1232, 1332, 1432, 3000]),
  };
}
