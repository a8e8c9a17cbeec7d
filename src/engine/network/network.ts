import type { Family, Interface, Interfaces } from '../../abi/interfaces.ts';
import type { Flow, Path, Routes, Unroutable } from '../../abi/routes.ts';
import { OptionError } from '../../base/errors.ts';
import { type Device, readDevices } from './devices.ts';
import { type Entry, entriesOf } from './entry.ts';
import { choose } from './multipath.ts';
import { type Nexthop, type RouteEntry, readRoute, tableName } from './route-entries.ts';
import { areDefault, DEFAULT_RULES, type Rule, readRule } from './rules.ts';
import { sourceIpv4, sourceIpv6 } from './source.ts';
import { type Finding, type Found, RoutingTables } from './tables.ts';

/**
 * A host's network, as iproute2 prints it with -j. What is absent is empty; without rules there are those that every host
 * starts with; without netconf every interface forwards.
 */
export type NetworkDescription = Readonly<Partial<Record<(typeof PARTS)[number], readonly object[]>>>;

const PARTS = ['links', 'addresses', 'routes', 'rules', 'rules6', 'neighbours', 'netconf'] as const;
const RULES = { 4: 'rules', 6: 'rules6' } as const;

/** NUD_VALID of linux/neighbour.h: what can be sent to without asking first. */
const VALID: ReadonlySet<string> = new Set(['PERMANENT', 'NOARP', 'REACHABLE', 'PROBE', 'STALE', 'DELAY']);

/** The host's interfaces, routes and neighbours. */
export class Network implements Interfaces, Routes {
  readonly #devices: ReadonlyMap<number, Device>;
  readonly #tables: Readonly<Record<Family, RoutingTables>>;
  readonly #rules: Readonly<Record<Family, readonly Rule[]>>;
  readonly #neighbours = new Map<string, Uint8Array>();
  /** Whether IPv4's tables local and main are one, as they are until a rule is added. */
  readonly #isMerged: boolean;
  readonly #seed: number;

  /** Ways of equal cost are chosen by the seed. Throws `OptionError`. */
  constructor(description: NetworkDescription, seed: number) {
    const parts = readParts(description);
    this.#seed = seed;
    this.#devices = readDevices(parts('links'), parts('addresses'), parts('netconf'));
    const byName = new Map([...this.#devices.values()].map((device) => [device.name, device]));
    const deviceOf = (entry: Entry, name: string): Device => {
      const told = entry.need(name, entry.text(name));
      return byName.get(told) ?? entry.fail(name, `is ${told}, which is not among links nor addresses`);
    };
    const rulesOf = (family: Family) => parts(RULES[family]).map((entry) => readRule(entry, family, byName));
    const told = { 4: rulesOf(4), 6: rulesOf(6) };
    const inOrder = (family: Family) =>
      told[family].length === 0 ? DEFAULT_RULES[family] : told[family].toSorted((a, b) => a.priority - b.priority);
    this.#rules = { 4: inOrder(4), 6: inOrder(6) };
    this.#isMerged = told[4].length === 0 || areDefault(told[4], parts('rules'));
    const routes = withoutRepeats(description.routes, parts('routes')).map((entry) => readRoute(entry, deviceOf));
    this.#tables = {
      4: new RoutingTables(4, routes, (table) => this.#standsUnder(4, table)),
      6: new RoutingTables(6, routes, (table) => table),
    };
    for (const entry of parts('neighbours')) this.#addNeighbour(entry, deviceOf(entry, 'dev'));
  }

  get(ifindex: number): Interface | undefined {
    return this.#devices.get(ifindex);
  }

  route(flow: Flow): Path | Unroutable {
    const found = flow.table === undefined ? this.#byRules(flow) : this.#find(tableName(flow.table), flow);
    if (found === undefined) return 'none';
    if (typeof found === 'string') return found === 'throw' ? 'none' : found;
    return found.route.type === 'unicast' ? pathOf(flow.family, found.route, this.#nexthop(found, flow)) : 'none';
  }

  neighbour(on: Interface, family: Family, address: bigint): Uint8Array | undefined {
    const isAny = family === 4 && this.#devices.get(on.ifindex)?.hasOneNeighbour === true;
    return this.#neighbours.get(neighbourKey(on.ifindex, family, isAny ? 0n : address));
  }

  source(path: Path, flow: Flow): bigint | undefined {
    if (path.preferredSource !== undefined) return path.preferredSource;
    const all = [...this.#devices.values()];
    const on = this.#devices.get(path.interface.ifindex)!;
    return flow.family === 4 ? sourceIpv4(path, on, all) : sourceIpv6(flow.destination, on, all);
  }

  #standsUnder(family: Family, table: string): string {
    return family === 4 && this.#isMerged && table === 'local' ? 'main' : table;
  }

  #find(table: string, flow: Flow): Finding {
    return this.#tables[flow.family].find(this.#standsUnder(flow.family, table), flow);
  }

  #byRules(flow: Flow): Finding {
    const rules = this.#rules[flow.family];
    for (let at = 0; at < rules.length; ) {
      const rule = rules[at]!;
      at++;
      if (rule.action === 'nop' || !rule.matches(flow)) continue;
      if (rule.action === 'goto') {
        // Only forward, and to a rule that is there.
        const target = rules.findIndex(({ priority }) => priority === rule.target);
        at = Math.max(at, target);
      } else if (rule.action === 'table') {
        const found = this.#find(rule.table, flow);
        // For bpf_fib_lookup, IPv6 neither goes on where a table throws nor suppresses.
        if (found === 'throw' && flow.family === 4) continue;
        if (found !== undefined && !(flow.family === 4 && isSuppressed(found, rule))) return found;
      } else {
        // Of a rule that ends a search, IPv4 alone tells why, and not of one that says unreachable.
        return flow.family === 6 || rule.action === 'unreachable' ? undefined : rule.action;
      }
    }
    return undefined;
  }

  #nexthop({ nexthops }: Found, flow: Flow): Nexthop {
    const asked = flow.output === 0 ? undefined : nexthops.find(({ device }) => device.ifindex === flow.output);
    if (nexthops.length === 1 || flow.output !== 0) return asked ?? nexthops[0]!;
    return choose(nexthops, flow, this.#seed);
  }

  #addNeighbour(entry: Entry, device: Device): void {
    const { family, value } = entry.need('dst', entry.address('dst'));
    if (!entry.strings('state').some((state) => VALID.has(state))) return;
    this.#neighbours.set(neighbourKey(device.ifindex, family, value), entry.hardwareAddress('lladdr'));
  }
}

/** Of IPv4, whose total length has 16 bits; of IPv6, whose payload's length has them, behind 40 bytes of header. */
const LARGEST_MTU: Readonly<Record<Family, number>> = { 4: 0xffff, 6: 40 + 0xffff };

function pathOf(family: Family, route: RouteEntry, { device, gateway, encapsulates }: Nexthop): Path {
  const { metric, preferredSource, scope } = route;
  const mtu = Math.min(device.mtu, LARGEST_MTU[family]);
  return { interface: device, gateway, metric, mtu, encapsulates, preferredSource, scope };
}

const neighbourKey = (ifindex: number, family: Family, address: bigint) => `${ifindex} ${family} ${address}`;

function isSuppressed(found: Exclude<Finding, undefined>, { suppressedLength, suppressedGroup }: Rule): boolean {
  if (typeof found === 'string') return false;
  const { route, nexthops } = found;
  return (
    route.destination.length <= suppressedLength ||
    (suppressedGroup !== undefined && nexthops[0]!.device.group === suppressedGroup)
  );
}

function readParts(description: NetworkDescription): (part: (typeof PARTS)[number]) => readonly Entry[] {
  if (typeof description !== 'object' || description === null || Array.isArray(description)) {
    throw new OptionError('bad-network', `network: an object is wanted, with any of ${PARTS.join(', ')}`);
  }
  const odd = Object.keys(description).find((name) => !PARTS.some((part) => part === name));
  if (odd !== undefined) {
    throw new OptionError('bad-network', `network: there is no part ${odd}; the parts are ${PARTS.join(', ')}`);
  }
  return (part) => entriesOf(description[part], part);
}

/** The routes of IPv6 are told with all others, and then again by themselves: as two routes they would be two ways. */
function withoutRepeats(told: NetworkDescription['routes'], entries: readonly Entry[]): readonly Entry[] {
  const texts = (told ?? []).filter((each) => Object.keys(each).length > 0).map((each) => JSON.stringify(each));
  const seen = new Set<string>();
  return entries.filter((_, index) => seen.size < seen.add(texts[index]!).size);
}
