import type { Family } from '../../abi/interfaces.ts';
import type { Flow } from '../../abi/routes.ts';
import { covers } from './address.ts';
import { PrefixTable } from './prefix-table.ts';
import { leads, type Nexthop, type RouteEntry, type RouteType } from './route-entries.ts';
import { tosMatches } from './tos.ts';

/** What a table says: a route and those of its next hops that can be taken; or that there is no way (`throw`: none in this table), or nothing. */
export type Finding = Found | Exclude<RouteType, 'unicast' | 'own'> | undefined;

export interface Found {
  readonly route: RouteEntry;
  /** One at least. */
  readonly nexthops: readonly Nexthop[];
}

/** The routing tables of one family, by name. */
export class RoutingTables {
  readonly #family: Family;
  readonly #tables = new Map<string, PrefixTable<RouteEntry>>();

  /** `nameOf`: under which name the routes of a table stand. */
  constructor(family: Family, routes: readonly RouteEntry[], nameOf: (table: string) => string) {
    this.#family = family;
    const inOrder = routes.filter(({ destination }) => destination.family === family).toSorted(ORDER[family]);
    for (const route of inOrder) {
      this.#tables
        .getOrInsertComputed(nameOf(route.table), () => new PrefixTable(family))
        .add(route.destination, route);
    }
  }

  find(table: string, flow: Flow): Finding {
    let isAbove = false;
    for (const routes of this.#tables.get(table)?.covering(flow.destination) ?? []) {
      if (!isAbove && isPassedOver(routes, flow)) continue;
      isAbove = true;
      const found = this.#family === 4 ? findIpv4(routes, flow) : findIpv6(routes, flow);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** How routes to the same prefix are gone through. */
const ORDER: Readonly<Record<Family, (one: RouteEntry, other: RouteEntry) => number>> = {
  4: (one, other) =>
    Number(other.table === 'local') - Number(one.table === 'local') || other.tos - one.tos || one.metric - other.metric,
  6: (one, other) => (other.from?.length ?? 0) - (one.from?.length ?? 0) || one.metric - other.metric,
};

function findIpv4(routes: readonly RouteEntry[], flow: Flow): Finding {
  for (const route of routes) {
    if (route.tos !== 0 && !tosMatches(flow, route.tos)) continue;
    if (!leads(route.type)) return route.type;
    const nexthops = usable(route, 4).filter(({ device }) => flow.output === 0 || device.ifindex === flow.output);
    if (nexthops.length > 0) return { route, nexthops };
  }
  return undefined;
}

/**
 * Where a prefix has routes by source and none of them is for the packet, Linux passes over those for all sources, unless
 * it came by from a longer prefix, or the prefix is that of all addresses.
 */
function isPassedOver(routes: readonly RouteEntry[], flow: Flow): boolean {
  const bySource = routes.filter(({ from }) => from !== undefined);
  return bySource.length > 0 && routes[0]!.destination.length > 0 && !bySource.some((route) => isFor(route, flow));
}

function isFor({ from }: RouteEntry, { source }: Flow): boolean {
  return from === undefined || covers(from, source);
}

/** Of those with the same metric, the one over the interface asked for, then the one whose router is preferred. */
function findIpv6(routes: readonly RouteEntry[], flow: Flow): Finding {
  /** Linux has packets that arrive somewhere leave there, too, where all else is equal. */
  const asked = flow.output === 0 ? flow.input : flow.output;
  let best: { readonly route: RouteEntry; readonly nexthops: readonly Nexthop[]; readonly score: number } | undefined;
  for (const route of routes) {
    if (!isFor(route, flow)) continue;
    if (best !== undefined && (route.metric !== best.route.metric || route.from?.length !== best.route.from?.length))
      break;
    const nexthops = usable(route, 6);
    if (nexthops.length === 0) continue;
    const score = 4 * route.preference + (nexthops.some(({ device }) => device.ifindex === asked) ? 2 : 0);
    if (best === undefined || score > best.score) best = { route, nexthops, score };
  }
  if (best === undefined) return undefined;
  const { type } = best.route;
  return leads(type) ? best : type;
}

function usable({ nexthops }: RouteEntry, family: Family): readonly Nexthop[] {
  return nexthops.filter(
    ({ isDead, lostCarrier, device }) => !isDead && !(lostCarrier && device.ignoresLinkDown[family]),
  );
}
