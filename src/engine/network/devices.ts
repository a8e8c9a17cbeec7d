import type { Family, Interface } from '../../abi/interfaces.ts';
import { ETHERNET_HEADER } from '../../base/ethernet.ts';
import type { Address, Prefix } from './address.ts';
import type { Entry } from './entry.ts';

/** An interface with what routing asks of it. */
export interface Device extends Interface {
  /** All neighbours share one entry, that of no address (IPv4). */
  readonly hasOneNeighbour: boolean;
  readonly isLoopback: boolean;
  readonly group: string;
  /** Routes over it that have lost their carrier are passed over. */
  readonly ignoresLinkDown: Readonly<Record<Family, boolean>>;
  /** In their order. */
  readonly addresses: readonly InterfaceAddress[];
}

export interface InterfaceAddress extends Prefix {
  /** RT_SCOPE_*. */
  readonly scope: number;
  readonly isSecondary: boolean;
  readonly isDeprecated: boolean;
  readonly isTemporary: boolean;
  /** Not to be used: another has it, or may have. */
  readonly isTentative: boolean;
}

/** RT_SCOPE_* of linux/rtnetlink.h. */
export const SCOPE = { global: 0, link: 253, host: 254 } as const;

/** By iproute2's names, and by number. */
export const SCOPES: Readonly<Record<string, number>> = {
  ...SCOPE, site: 200, nowhere: 255, '0': 0, '200': 200, '253': 253, '254': 254, '255': 255,
}; // biome-ignore format: a table

/** Below, an interface has no IPv4 (RFC 791) or no IPv6 (RFC 8200). */
const SMALLEST_MTU: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 };
/** Link layers with Ethernet's header, as iproute2 names them; others have none that counts. */
const ETHERNET: ReadonlySet<string> = new Set(['ether', 'loopback']);

interface Settings {
  readonly forwards: boolean;
  readonly ignoresLinkDown: boolean;
}

/** Interfaces by index, from what `ip -j link` and `ip -j address` print, which overlap, and `ip -j netconf`. */
export function readDevices(
  links: readonly Entry[],
  addresses: readonly Entry[],
  netconf: readonly Entry[],
): ReadonlyMap<number, Device> {
  const settings = readSettings(netconf);
  const known = new Map<number, Entry>();
  for (const each of [...links, ...addresses]) known.getOrInsert(index(each), each);
  const addressesOf = Map.groupBy(addresses, index);
  return new Map(
    [...known].map(([ifindex, link]) => {
      const own = (addressesOf.get(ifindex) ?? []).flatMap((each) => each.entries('addr_info'));
      return [ifindex, readDevice(ifindex, link, own.flatMap(readInterfaceAddress), settings)];
    }),
  );
}

const index = (entry: Entry) => entry.need('ifindex', entry.number('ifindex', 2 ** 31 - 1));

function readDevice(
  ifindex: number,
  link: Entry,
  addresses: readonly InterfaceAddress[],
  settings: (name: string, family: Family) => Settings,
): Device {
  const name = link.need('ifname', link.text('ifname'));
  const mtu = link.need('mtu', link.number('mtu'));
  const flags = link.strings('flags');
  const perFamily = <T>(of: (family: Family) => T) => ({ 4: of(4), 6: of(6) });
  return {
    ifindex,
    name,
    mtu,
    headerLength: ETHERNET.has(link.text('link_type') ?? 'ether') ? ETHERNET_HEADER : 0,
    address: link.hardwareAddress('address'),
    isUp: flags.includes('UP'),
    forwards: perFamily((family) => mtu >= SMALLEST_MTU[family] && settings(name, family).forwards),
    hasOneNeighbour: flags.includes('LOOPBACK') || flags.includes('POINTOPOINT'),
    isLoopback: flags.includes('LOOPBACK'),
    group: link.text('group') ?? 'default',
    ignoresLinkDown: perFamily((family) => settings(name, family).ignoresLinkDown),
    addresses,
  };
}

const FAMILIES: Readonly<Record<string, Family | null>> = { inet: 4, inet6: 6, mpls: null };

function readSettings(netconf: readonly Entry[]): (name: string, family: Family) => Settings {
  const known = new Map<string, Settings>();
  for (const entry of netconf) {
    const family = entry.need('family', entry.named('family', FAMILIES));
    const name = entry.need('interface', entry.text('interface'));
    const forwards = entry.flag('forwarding') ?? true;
    const ignoresLinkDown = entry.flag('ignore_routes_with_linkdown') ?? false;
    known.set(`${family} ${name}`, { forwards, ignoresLinkDown });
  }
  return (name, family) => {
    const own = known.get(`${family} ${name}`) ?? { forwards: true, ignoresLinkDown: false };
    const all = known.get(`${family} all`)?.ignoresLinkDown ?? false;
    return { ...own, ignoresLinkDown: own.ignoresLinkDown || (all && family === 4) };
  };
}

function readInterfaceAddress(entry: Entry): InterfaceAddress[] {
  if (!entry.has('local')) return [];
  const address: Address = entry.need('local', entry.address('local'));
  const length = entry.need('prefixlen', entry.number('prefixlen', address.family === 4 ? 32 : 128));
  const is = (name: string) => entry.flag(name) === true;
  return [
    {
      ...address,
      length,
      scope: entry.named('scope', SCOPES) ?? 0,
      isSecondary: is('secondary'),
      isDeprecated: is('deprecated'),
      isTemporary: is('temporary'),
      isTentative: (is('tentative') && !is('optimistic')) || is('dadfailed'),
    },
  ];
}
