import type { Path } from '../../abi/routes.ts';
import { BITS, covers, readPrefix } from './address.ts';
import { type Device, type InterfaceAddress, SCOPE } from './devices.ts';

/**
 * An address of IPv4 for packets that leave by `on`: the first that lies in the network of the gateway, or the first at
 * all; if there is none, the first of another interface. Only addresses that reach as far as the route does.
 */
export function sourceIpv4({ gateway, scope }: Path, on: Device, all: readonly Device[]): bigint | undefined {
  const near = (address: InterfaceAddress) => Math.min(address.scope, SCOPE.host) <= scope;
  const primary = ({ addresses }: Device) =>
    addresses.filter((each) => each.family === 4 && !each.isSecondary && near(each));
  const own = primary(on);
  const neighbour = gateway?.family === 4 ? gateway.address : undefined;
  const matching = neighbour === undefined ? undefined : own.find((each) => covers(each, neighbour));
  const others = () => all.flatMap(primary).find((each) => each.scope !== SCOPE.link);
  return (matching ?? own[0] ?? others())?.value;
}

/**
 * Default policy table of RFC 6724, section 2.1: prefix and label. As Linux has it, without 3ffe::/16, which went back to
 * IANA, and with 2001:10::/28 of RFC 4843.
 */
const LABELS = (
  [
    ['::1/128', 0], ['::/0', 1], ['2002::/16', 2], ['::/96', 3], ['::ffff:0:0/96', 4], ['fc00::/7', 5], ['2001::/32', 6],
    ['2001:10::/28', 7], ['fec0::/10', 11],
  ] as const // biome-ignore format: a table
)
  .map(([text, label]) => ({ prefix: readPrefix(text)!, label }));

function labelOf(address: bigint): number {
  const found = LABELS.filter(({ prefix }) => covers(prefix, address));
  return found.reduce((one, other) => (other.prefix.length > one.prefix.length ? other : one)).label;
}

/** RFC 4291, section 2.7, and RFC 6724, section 3.1: the loopback address counts as link-local. */
const REACH = { none: 0, link: 2, site: 5, global: 14 } as const;
const LINK_LOCAL = readPrefix('fe80::/10')!;
const SITE_LOCAL = readPrefix('fec0::/10')!;
const LOOPBACK = readPrefix('::1')!;

function reachOf(address: bigint): number {
  if (address === 0n) return REACH.none;
  if (covers(LINK_LOCAL, address) || covers(LOOPBACK, address)) return REACH.link;
  return covers(SITE_LOCAL, address) ? REACH.site : REACH.global;
}

interface Candidate extends InterfaceAddress {
  readonly isOutgoing: boolean;
}

/** One of RFC 6724's rules: positive where the first is preferred, 0 where it does not tell. */
type Preference = (one: Candidate, other: Candidate, destination: bigint) => number;

const prefer =
  (quality: (candidate: Candidate, destination: bigint) => number | boolean): Preference =>
  (one, other, destination) =>
    Number(quality(one, destination)) - Number(quality(other, destination));

/** RFC 6724, section 5, without rule 4 (home addresses); rule 7 as Linux sets it: public before temporary addresses. */
const PREFERENCES: readonly Preference[] = [
  prefer(({ value }, destination) => value === destination),
  (one, other, destination) => {
    const [a, b, wanted] = [reachOf(one.value), reachOf(other.value), reachOf(destination)];
    if (a === b) return 0;
    return a < b ? (a < wanted ? -1 : 1) : b < wanted ? 1 : -1;
  },
  prefer(({ isDeprecated }) => !isDeprecated),
  prefer(({ isOutgoing }) => isOutgoing),
  prefer(({ value }, destination) => labelOf(value) === labelOf(destination)),
  prefer(({ isTemporary }) => !isTemporary),
  prefer(({ value, length }, destination) => Math.min(length, bitsInCommon(value, destination))),
];

/** An address of IPv6 for packets to `destination` that leave by `on`. */
export function sourceIpv6(destination: bigint, on: Device, all: readonly Device[]): bigint | undefined {
  const candidates = (reachOf(destination) > REACH.link ? all : [on]).flatMap((device) =>
    device.addresses
      .filter(({ family, isTentative }) => family === 6 && !isTentative)
      .map((address) => ({ ...address, isOutgoing: device === on })),
  );
  return candidates.reduce<Candidate | undefined>((best, each) => {
    if (best === undefined) return each;
    const told = PREFERENCES.map((rule) => rule(each, best, destination)).find((order) => order !== 0);
    return told !== undefined && told > 0 ? each : best;
  }, undefined)?.value;
}

function bitsInCommon(one: bigint, other: bigint): number {
  const differs = one ^ other;
  return differs === 0n ? BITS[6] : BITS[6] - differs.toString(2).length;
}
