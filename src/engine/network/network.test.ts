import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Family } from '../../abi/interfaces.ts';
import type { Flow, Path, Unroutable } from '../../abi/routes.ts';
import { readAddress, readPrefix } from './address.ts';
import { Network, type NetworkDescription } from './network.ts';
import { PrefixTable } from './prefix-table.ts';

const link = (ifindex: number, ifname: string, more = {}) => ({ ifindex, ifname, mtu: 1500, flags: ['UP'], ...more });
const LINKS = [link(1, 'lo', { mtu: 65536 }), link(2, 'eth0', { address: '02:00:00:00:00:02' }), link(3, 'eth1')];
const network = (parts: NetworkDescription, seed = 0) => new Network({ links: LINKS, ...parts }, seed);

function flow(destination: string, more: Partial<Flow> = {}): Flow {
  const { family, value } = readAddress(destination)!;
  const ports = { protocol: 0, sourcePort: 0, destinationPort: 0 };
  return {
    family,
    table: undefined,
    input: 2,
    output: 0,
    tos: 0,
    ...ports,
    mark: 0,
    source: 0n,
    destination: value,
    ...more,
  };
}

/** `eth1`, `eth1 10.0.0.1`, or why not. */
function told(path: Path | Unroutable): string {
  if (typeof path === 'string') return path;
  const gateway = path.gateway === undefined ? [] : [path.gateway.address.toString(16)];
  return [path.interface.name, ...gateway].join(' ');
}

describe('addresses', () => {
  it.each([
    ['10.0.0.1', 4, 0x0a00_0001n],
    ['255.255.255.255', 4, 0xffff_ffffn],
    ['::', 6, 0n],
    ['::1', 6, 1n],
    ['fe80::', 6, 0xfe80n << 112n],
    ['2001:db8::8:800:200c:417a', 6, 0x2001_0db8_0000_0000_0008_0800_200c_417an],
    ['::ffff:129.144.52.38', 6, 0xffff_8190_3426n],
    ['1:2:3:4:5:6:7::', 6, 0x0001_0002_0003_0004_0005_0006_0007_0000n],
  ])('%s', (text, family, value) => expect(readAddress(text)).toEqual({ family, value }));

  it.each([
    '',
    '10',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.01x',
    '1:2',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    'g::',
    '::12345',
    '::1.2.3',
  ])('%s is none', (text) => expect(readAddress(text)).toBeUndefined());

  it.each(['10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/-1', '10.0.0.0/8/8', 'default'])('%s is no prefix', (text) =>
    expect(readPrefix(text)).toBeUndefined(),
  );
});

it('the longest prefixes come first, as in a list that is searched from end to end', () => {
  const near = (family: Family) =>
    fc.bigInt({ min: 0n, max: 15n }).map((low) => low << BigInt(family === 4 ? 26 : 120));
  const prefixes = (family: Family) =>
    fc.array(fc.record({ value: near(family), length: fc.integer({ min: 0, max: 9 }) }), { maxLength: 20 });
  const property = fc
    .constantFrom<Family>(4, 6)
    .chain((family) => fc.tuple(fc.constant(family), prefixes(family), near(family)));
  fc.assert(
    fc.property(property, ([family, list, address]) => {
      const table = new PrefixTable<number>(family);
      for (const [index, prefix] of list.entries()) table.add(prefix, index);
      const bits = (value: bigint, length: number) =>
        value
          .toString(2)
          .padStart(family === 4 ? 32 : 128, '0')
          .slice(0, length);
      const expected = list
        .map(({ value, length }, index) => ({ value, length, index }))
        .filter(({ value, length }) => bits(value, length) === bits(address, length))
        .sort((one, other) => other.length - one.length || one.index - other.index);
      expect([...table.covering(address)].flat()).toEqual(expected.map(({ index }) => index));
    }),
  );
});

describe('what iproute2 prints', () => {
  it('is taken with names and with numbers (-N), and where a filter left entries empty', () => {
    const named = [
      { type: 'blackhole', dst: '10.1.0.0/16', table: 'local' },
      {},
      { dst: '10.2.0.0/16', dev: 'eth1', tos: 'AF11' },
    ];
    const numbered = [
      { type: '6', dst: '10.1.0.0/16', table: '255' },
      {},
      { dst: '10.2.0.0/16', dev: 'eth1', tos: '0x28', scope: '253' },
    ];
    for (const routes of [named, numbered]) {
      const { route } = boundTo(network({ routes }));
      expect(route('10.1.2.3')).toBe('blackhole');
      expect(route('10.2.0.1', { tos: 0x28 & 0x1c })).toBe('none');
    }
  });

  it('tells of which family a default route is', () => {
    const { route } = boundTo(
      network({
        routes: [
          { dst: 'default', gateway: '10.0.0.1', dev: 'eth0' },
          { dst: 'default', dev: 'eth1', metric: 1024, pref: 'medium' },
        ],
      }),
    );
    expect([route('1.1.1.1'), route('2001:db8::1')]).toEqual(['eth0 a000001', 'eth1']);
  });

  it('counts a route that is told twice once', () => {
    const route = { dst: 'fd00::/8', gateway: 'fe80::1', dev: 'eth1', metric: 1024, pref: 'medium' };
    const other = { ...route, dev: 'eth0' };
    const { route: ask } = boundTo(network({ routes: [route, other, route] }));
    expect(ask('fd00::1', { input: 3 })).toBe('eth1 fe800000000000000000000000000001');
  });

  it('says with netconf what forwards, and with the MTU what has an IP at all', () => {
    const netconf = [
      { family: 'inet', interface: 'eth0', forwarding: false },
      { family: 'inet6', interface: 'eth1', forwarding: true },
    ];
    const known = new Network({ links: [...LINKS, link(4, 'narrow', { mtu: 1279 })], netconf }, 0);
    expect(known.get(2)).toMatchObject({ name: 'eth0', forwards: { 4: false, 6: true } });
    expect(known.get(3)).toMatchObject({ forwards: { 4: true, 6: true } });
    expect(known.get(4)).toMatchObject({ forwards: { 4: true, 6: false } });
    expect(known.get(5)).toBeUndefined();
  });

  it.each<[string, NetworkDescription, RegExp]>([
    ['no list', { routes: {} as never }, /network: routes is to be a list, as ip -j prints it/],
    ['no object', { links: [[]] as never }, /network: links\[0\] is to be an object/],
    ['a part that is none', { route: [] } as never, /there is no part route; the parts are links, addresses, routes/],
    ['an interface that is not there', { routes: [{ dst: '10.0.0.0/8', dev: 'eth9' }] }, /routes\[0\]\.dev is eth9, which is not among links/],
    ['no interface', { routes: [{ dst: '10.0.0.0/8' }] }, /routes\[0\]\.dev is missing/],
    ['no prefix', { routes: [{ dst: '10.0.0.0/64', dev: 'lo' }] }, /routes\[0\]\.dst is to be a prefix such as 10\.0\.0\.0\/8, not 10\.0\.0\.0\/64/],
    ['a type that is none', { routes: [{ type: 'black', dst: '10.0.0.0/8' }] }, /routes\[0\]\.type is black; known are unicast/],
    ['a route of which too little is told', { routes: [{ encap: 'ip', dst: '10.0.0.9', dev: 'lo' }] }, /routes\[0\]\.encap hides where/],
    ['a next hop', { routes: [{ dst: '10.0.0.0/8', nexthops: [{ dev: 'lo', gateway: 'x' }] }] }, /routes\[0\]\.nexthops\[0\]\.gateway is to be an IPv4 or IPv6 address, not x/],
    ['a rule that is not followed', { rules: [{ priority: 1, src: 'all', l3mdev: null }] }, /rules\[0\]\.l3mdev is of rules that are not followed here/],
    ['a rule of the other family', { rules: [{ src: 'fd00::', srclen: 8, table: 'main' }] }, /rules\[0\]\.src is no IPv4 address: IPv6 rules belong under rules6/],
    ['a neighbour', { neighbours: [{ dst: '10.0.0.1', dev: 'lo', state: 'PERMANENT' }] }, /neighbours\[0\]\.state is to be a list of words/],
    ['a number', { routes: [{ dst: '10.0.0.0/8', dev: 'lo', metric: -1 }] }, /routes\[0\]\.metric is to be a whole number from 0 to 4294967295, not -1/],
  ])('is refused with what is wrong and where: %s', (_, parts, message) => {
    expect(() => network(parts)).toThrow(message);
  }); // biome-ignore format: a table

  it('makes no other error, whatever comes', () => {
    const names = [
      'dst',
      'dev',
      'type',
      'gateway',
      'nexthops',
      'via',
      'state',
      'src',
      'table',
      'ifindex',
      'ifname',
      'mtu',
      'addr_info',
      'family',
    ];
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('eth0', '10.0.0.0/8', 'main', 'inet', 4));
    const entry = fc.dictionary(fc.constantFrom(...names), value);
    const part = fc.constantFrom('links', 'addresses', 'routes', 'rules', 'rules6', 'neighbours', 'netconf');
    fc.assert(
      fc.property(fc.dictionary(part, fc.oneof(fc.array(entry), fc.jsonValue())), (parts) => {
        try {
          new Network(parts as NetworkDescription, 0);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('bad-network');
        }
      }),
    );
  });
});

describe('several next hops', () => {
  const nexthops = [
    { gateway: '10.0.0.1', dev: 'eth0', weight: 3, flags: [] },
    { gateway: '10.0.1.1', dev: 'eth1', weight: 1, flags: [] },
  ];
  const spread = (seed: number, more: Partial<Flow> = {}) => {
    const { route } = boundTo(network({ routes: [{ dst: 'default', gateway: '0.0.0.0', nexthops }] }, seed));
    return Array.from({ length: 400 }, (_, i) => route(`192.0.2.${i % 200}`, { source: BigInt(i), ...more }));
  };

  it('are taken by weight, the same for the same addresses and seed', () => {
    const taken = spread(1);
    expect(spread(1)).toEqual(taken);
    expect(spread(2)).not.toEqual(taken);
    const first = taken.filter((each) => each.startsWith('eth0')).length;
    expect(first).toBeGreaterThan(260);
    expect(first).toBeLessThan(340);
  });

  it('leave no choice where the interface is given', () => {
    expect(new Set(spread(1, { output: 3 }))).toEqual(new Set(['eth1 a000101']));
  });
});

describe('a source address', () => {
  const inet6 = (local: string, prefixlen: number, more = {}) => ({
    family: 'inet6',
    local,
    prefixlen,
    scope: 'global',
    ...more,
  });
  const sourceTo = (destination: string, addresses: object[]) => {
    const known = network({
      addresses: [
        link(2, 'eth0', { addr_info: addresses }),
        link(3, 'eth1', { addr_info: [inet6('2001:db8:3::1', 64)] }),
      ],
      routes: [{ dst: 'default', dev: 'eth0', metric: 1, pref: 'medium' }],
    });
    const asked = flow(destination);
    return known.source(known.route(asked) as Path, asked);
  };
  const value = (text: string) => readAddress(text)!.value;

  // RFC 6724, section 10.1.
  it.each([
    ['2001:db8:1::1', ['2001:db8:3::1', 'fe80::1'], '2001:db8:3::1'],
    ['2001:db8:1::1', ['2001:db8:1::2', '2001:db8:3::2'], '2001:db8:1::2'],
    ['2002:c633:6401::1', ['2002:c633:6401:0:0:0:d:5', '2001:db8:1::2'], '2002:c633:6401:0:0:0:d:5'],
    ['fd11::1', ['2001:db8:1::2', 'fd22::1'], 'fd22::1'],
  ])('to %s of %j is %s', (destination, candidates, chosen) => {
    expect(
      sourceTo(
        destination,
        candidates.map((each) => inet6(each, 64)),
      ),
    ).toBe(value(chosen));
  });

  it('is none that is deprecated or tentative, where there is another', () => {
    const wanted = inet6('2001:db8:9::1', 64);
    for (const state of ['deprecated', 'tentative', 'temporary']) {
      expect(sourceTo('2001:db8:1::1', [inet6('2001:db8:1::2', 64, { [state]: true }), wanted])).toBe(
        value('2001:db8:9::1'),
      );
    }
  });
});

function boundTo(known: Network) {
  return { route: (destination: string, more: Partial<Flow> = {}) => told(known.route(flow(destination, more))) };
}
