import type { Flow } from '../../abi/routes.ts';
import type { Nexthop } from './route-entries.ts';

/**
 * One of several next hops, by weight, and the same for all packets of the same addresses (RFC 2992). Linux hashes them
 * with a secret of the running kernel, so that which one it takes cannot be told from outside; here the seed decides.
 */
export function choose(nexthops: readonly Nexthop[], { source, destination }: Flow, seed: number): Nexthop {
  const total = nexthops.reduce((sum, { weight }) => sum + weight, 0);
  let left = hash([BigInt(seed), source, destination]) % total;
  for (const each of nexthops) {
    left -= each.weight;
    if (left < 0) return each;
  }
  return nexthops[0]!;
}

/** FNV-1a over the 32-bit words of the numbers, its bits mixed as MurmurHash3 ends. */
function hash(numbers: readonly bigint[]): number {
  let sum = 0x811c9dc5;
  for (const number of numbers) {
    for (let rest = number; rest > 0n; rest >>= 32n) {
      sum = Math.imul(sum ^ Number(rest & 0xffff_ffffn), 0x01000193);
    }
  }
  sum = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
  sum = Math.imul(sum ^ (sum >>> 13), 0xc2b2ae35);
  return (sum ^ (sum >>> 16)) >>> 0;
}
