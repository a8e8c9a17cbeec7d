import type { Interface, Interfaces } from '../abi/interfaces.ts';
import type { Routes } from '../abi/routes.ts';
import { OptionError } from '../base/errors.ts';
import { Network, type NetworkDescription } from './network/network.ts';

/** As a network namespace begins: the loopback interface, down, and nothing is forwarded. */
const LOOPBACK: Interface = {
  ifindex: 1,
  name: 'lo',
  mtu: 65536,
  headerLength: 14,
  address: new Uint8Array(6),
  isUp: false,
  forwards: { 4: false, 6: false },
};

/** The network as told; untold, as BPF_PROG_TEST_RUN has it: `lo`, and the interface of arrival, if that is another. */
export function virtualNetwork(
  told: NetworkDescription | undefined,
  arrival: number,
  seed: number,
): { readonly interfaces: Interfaces; readonly routes: Routes } {
  const network = new Network(told ?? {}, seed);
  const known = new Map([[LOOPBACK.ifindex, LOOPBACK]]);
  if (told === undefined) {
    known.getOrInsert(arrival, { ...LOOPBACK, ifindex: arrival, name: `if${arrival}`, mtu: 1500 });
  }
  const interfaces: Interfaces = { get: (ifindex) => network.get(ifindex) ?? known.get(ifindex) };
  if (interfaces.get(arrival) !== undefined) return { interfaces, routes: network };
  throw new OptionError('bad-network', `network: packets arrive on interface ${arrival}, which is not among its links`);
}
