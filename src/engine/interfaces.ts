import type { Interface, Interfaces } from '../abi/interfaces.ts';

/** As BPF_PROG_TEST_RUN has it: the loopback interface, and nothing else, unless the replay names another. */
const LOOPBACK: Interface = { ifindex: 1, name: 'lo', mtu: 65536, headerLength: 14 };

export function virtualInterfaces(arrival: number): Interfaces {
  const known = new Map([[LOOPBACK.ifindex, LOOPBACK]]);
  if (!known.has(arrival)) known.set(arrival, { ifindex: arrival, name: `if${arrival}`, mtu: 1500, headerLength: 14 });
  return { get: (ifindex) => known.get(ifindex) };
}
