import type { Family } from '../../abi/interfaces.ts';
import type { Address, Prefix } from './address.ts';
import { type Device, SCOPES } from './devices.ts';
import type { Entry } from './entry.ts';
import { readTos } from './tos.ts';

/** A route, as `ip -j route` prints it. */
export interface RouteEntry {
  readonly type: RouteType;
  readonly destination: Prefix;
  /** Only for packets from there (IPv6). */
  readonly from: Prefix | undefined;
  readonly tos: number;
  readonly metric: number;
  readonly table: string;
  readonly scope: number;
  readonly preferredSource: bigint | undefined;
  /** Of routers: 1 low, 2 medium, 3 high (RFC 4191). */
  readonly preference: number;
  readonly nexthops: readonly Nexthop[];
}

export interface Nexthop {
  readonly device: Device;
  readonly gateway: { readonly family: Family; readonly address: bigint } | undefined;
  readonly weight: number;
  readonly isDead: boolean;
  readonly lostCarrier: boolean;
  readonly encapsulates: boolean;
}

/** `own` stands for what is not forwarded: local, broadcast, anycast and multicast. */
export type RouteType = 'unicast' | 'own' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw';

/** RTN_* of linux/rtnetlink.h by iproute2's names and by number. */
const TYPES: Readonly<Record<string, RouteType>> = {
  unicast: 'unicast', local: 'own', broadcast: 'own', anycast: 'own', multicast: 'own', blackhole: 'blackhole',
  unreachable: 'unreachable', prohibit: 'prohibit', throw: 'throw',
  '1': 'unicast', '2': 'own', '3': 'own', '4': 'own', '5': 'own', '6': 'blackhole', '7': 'unreachable', '8': 'prohibit', '9': 'throw',
}; // biome-ignore format: a table

/** RT_TABLE_*. */
const TABLES: Readonly<Record<string, string>> = { '255': 'local', '254': 'main', '253': 'default', '0': 'main' };
const MEDIUM = 2;
const PREFERENCES: Readonly<Record<string, number>> = { low: 1, medium: MEDIUM, high: 3 };
const FAMILIES: Readonly<Record<string, Family>> = { inet: 4, inet6: 6 };

/** One name for a table that is told by name or number. */
export function tableName(told: string | number): string {
  return TABLES[told] ?? String(told);
}

export type DeviceByName = (entry: Entry, name: string) => Device;

export function readRoute(entry: Entry, deviceOf: DeviceByName): RouteEntry {
  const type = entry.named('type', TYPES) ?? 'unicast';
  if (entry.text('encap')?.startsWith('ip') === true) {
    entry.fail('encap', 'hides where the route leads: iproute2 prints dst twice then. Take the route out of the list');
  }
  const nexthops = entry.has('nexthops') ? entry.entries('nexthops') : [entry];
  return {
    type,
    destination: readDestination(entry),
    from: entry.prefix('from'),
    tos: readTos(entry),
    metric: entry.number('metric') ?? 0,
    table: tableName(entry.text('table') ?? 'main'),
    scope: entry.named('scope', SCOPES) ?? 0,
    preferredSource: entry.address('prefsrc')?.value,
    preference: entry.named('pref', PREFERENCES) ?? MEDIUM,
    nexthops: nexthops.filter((each) => each.has('dev') || leads(type)).map((each) => readNexthop(each, deviceOf)),
  };
}

/** Whether a packet can go by a route of the type; IPv6 has an interface for the others too, which counts in a choice. */
export function leads(type: RouteType): type is 'unicast' | 'own' {
  return type === 'unicast' || type === 'own';
}

/** Of `default`, what tells the family is the gateway, or `pref`, which IPv6 alone has. */
function readDestination(entry: Entry): Prefix {
  if (entry.text('dst') !== 'default') return entry.need('dst', entry.prefix('dst'));
  const family = entry.address('gateway')?.family ?? (entry.has('pref') ? 6 : 4);
  return { family, value: 0n, length: 0 };
}

function readNexthop(entry: Entry, deviceOf: DeviceByName): Nexthop {
  const flags = entry.strings('flags');
  return {
    device: deviceOf(entry, 'dev'),
    gateway: readGateway(entry),
    weight: entry.number('weight', 65536) ?? 1,
    isDead: flags.includes('dead'),
    lostCarrier: flags.includes('linkdown'),
    encapsulates: entry.has('encap'),
  };
}

function readGateway(entry: Entry): Nexthop['gateway'] {
  const via = entry.entry('via');
  if (via !== undefined) via.named('family', FAMILIES);
  const address: Address | undefined = via?.need('host', via.address('host')) ?? entry.address('gateway');
  return address && { family: address.family, address: address.value };
}
