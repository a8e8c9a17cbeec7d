import type { Family } from '../../abi/interfaces.ts';
import type { Flow } from '../../abi/routes.ts';
import { BITS, covers, type Prefix } from './address.ts';
import type { Device } from './devices.ts';
import type { Entry } from './entry.ts';
import { tableName } from './route-entries.ts';
import { readTos, tosMatches } from './tos.ts';

/** A rule of which table is asked, as `ip -j rule` prints it. */
export interface Rule {
  readonly priority: number;
  readonly action: RuleAction;
  /** Of `table`. */
  readonly table: string;
  /** Of `goto`: the priority at which to go on. */
  readonly target: number;
  /** Routes of prefixes so long or shorter do not count. */
  readonly suppressedLength: number;
  /** Nor do routes over interfaces of this group. */
  readonly suppressedGroup: string | undefined;
  readonly matches: (flow: Flow) => boolean;
}

export type RuleAction = 'table' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit';

/** FR_ACT_* of linux/fib_rules.h by iproute2's names and by number. */
const ACTIONS: Readonly<Record<string, RuleAction>> = {
  blackhole: 'blackhole', unreachable: 'unreachable', prohibit: 'prohibit', goto: 'goto', nop: 'nop', to_tbl: 'table', lookup: 'table',
  '1': 'table', '2': 'goto', '3': 'nop', '6': 'blackhole', '7': 'unreachable', '8': 'prohibit',
}; // biome-ignore format: a table

/** What a rule may say here. `protocol` only tells who made it. */
const UNDERSTOOD: ReadonlySet<string> = new Set(
  `priority not src srclen dst dstlen fwmark fwmask iif iif_detached oif oif_detached tos ipproto sport sport_start sport_end
  dport dport_start dport_end uid_start uid_end table action goto unresolved nop suppress_prefixlen suppress_prefixlength
  suppress_ifgroup protocol`.split(/\s+/),
);

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1, igmp: 2, ipip: 4, ipencap: 4, tcp: 6, udp: 17, dccp: 33, ipv6: 41, gre: 47, esp: 50, ah: 51, 'ipv6-icmp': 58, ospf: 89,
  sctp: 132, udplite: 136,
}; // biome-ignore format: a table

/** LOOPBACK_IFINDEX, which stands for the host itself. */
const LOOPBACK = 1;
const NONE = -1;
/** Of no one in particular: packets that are forwarded count as root's. */
const USER = 0;

export const DEFAULT_RULES: Readonly<Record<Family, readonly Rule[]>> = {
  4: [ofTable(0, 'local'), ofTable(32766, 'main'), ofTable(32767, 'default')],
  6: [ofTable(0, 'local'), ofTable(32766, 'main')],
};

function ofTable(priority: number, table: string): Rule {
  const matches = () => true;
  return { priority, action: 'table', table, target: 0, suppressedLength: NONE, suppressedGroup: undefined, matches };
}

export function readRule(entry: Entry, family: Family, devices: ReadonlyMap<string, Device>): Rule {
  const odd = entry.names.find((name) => !UNDERSTOOD.has(name));
  if (odd !== undefined) entry.fail(odd, 'is of rules that are not followed here. Take the rule out of the list');
  const action = entry.has('goto') ? 'goto' : entry.has('nop') ? 'nop' : (entry.named('action', ACTIONS) ?? 'table');
  return {
    priority: entry.number('priority') ?? 0,
    action,
    table: action === 'table' ? tableName(entry.need('table', entry.text('table'))) : '',
    target: entry.number('goto') ?? 0,
    suppressedLength: entry.number('suppress_prefixlen', 128) ?? entry.number('suppress_prefixlength', 128) ?? NONE,
    suppressedGroup: entry.text('suppress_ifgroup'),
    matches: selector(entry, family, devices),
  };
}

/** Whether the rules of IPv4 are those that every host starts with. */
export function areDefault(rules: readonly Rule[], entries: readonly Entry[]): boolean {
  const usual = DEFAULT_RULES[4];
  return (
    rules.length === usual.length &&
    usual.every(({ priority, table }, index) => rules[index]!.priority === priority && rules[index]!.table === table) &&
    entries.every((entry) => entry.names.every((name) => ['priority', 'src', 'table', 'protocol'].includes(name)))
  );
}

function selector(entry: Entry, family: Family, devices: ReadonlyMap<string, Device>): Rule['matches'] {
  const tests: Rule['matches'][] = [];
  const source = readSelectorPrefix(entry, 'src', family);
  const destination = readSelectorPrefix(entry, 'dst', family);
  if (source !== undefined) tests.push((flow) => covers(source, flow.source));
  if (destination !== undefined) tests.push((flow) => covers(destination, flow.destination));

  const input = readInterface(entry, 'iif', devices);
  const output = readInterface(entry, 'oif', devices);
  if (input !== undefined) tests.push((flow) => flow.input === input);
  if (output !== undefined) tests.push((flow) => flow.output === output);

  const mark = entry.number('fwmark') ?? 0;
  const mask = entry.number('fwmask') ?? (entry.has('fwmark') ? 0xffff_ffff : 0);
  if (mask !== 0) tests.push((flow) => ((flow.mark ^ mark) & mask) === 0);
  const tos = readTos(entry);
  if (tos !== 0) tests.push((flow) => tosMatches(flow, tos));
  const protocol = readProtocol(entry);
  if (protocol !== 0) tests.push((flow) => flow.protocol === protocol);
  const range = (name: 'sport' | 'dport' | 'uid', of: (flow: Flow) => number) => {
    const one = entry.number(name);
    const from = one ?? entry.number(`${name}_start`);
    const to = one ?? entry.number(`${name}_end`);
    if (from !== undefined && to !== undefined) tests.push((flow) => of(flow) >= from && of(flow) <= to);
  };
  range('sport', ({ sourcePort }) => sourcePort);
  range('dport', ({ destinationPort }) => destinationPort);
  range('uid', () => USER);
  const all = (flow: Flow) => tests.every((test) => test(flow));
  return entry.has('not') ? (flow) => !all(flow) : all;
}

function readSelectorPrefix(entry: Entry, name: 'src' | 'dst', family: Family): Prefix | undefined {
  const text = entry.text(name);
  if (text === undefined || text === 'all') return undefined;
  const address = entry.need(name, entry.prefix(name));
  const other = family === 4 ? 'IPv6 rules belong under rules6' : 'IPv4 rules belong under rules';
  if (address.family !== family) entry.fail(name, `is no IPv${family} address: ${other}`);
  return { ...address, length: entry.number(`${name}len`, BITS[family]) ?? address.length };
}

function readInterface(entry: Entry, name: 'iif' | 'oif', devices: ReadonlyMap<string, Device>): number | undefined {
  const told = entry.text(name);
  if (told === undefined) return undefined;
  return told === 'lo' ? LOOPBACK : (devices.get(told)?.ifindex ?? NONE);
}

function readProtocol(entry: Entry): number {
  const text = entry.text('ipproto')?.replace(/^ipproto-/, '') ?? '0';
  if (/^\d{1,3}$/.test(text) && Number(text) < 256) return Number(text);
  return PROTOCOLS[text] ?? entry.fail('ipproto', `is ${text}, whose number is not known here. Write the number`);
}
