import { REDIRECT, SLOTS } from '../abi/control.ts';
import type { Redirect } from '../abi/machine.ts';
import type { BpfMap } from '../abi/map.ts';

const BPF_F_INGRESS = 1n;
/** Types whose values are interfaces. */
const DEVICES: ReadonlySet<string> = new Set(['devmap', 'devmap_hash']);

/** The redirect that generated code left in the words of the control block. */
export function redirectIn(words: Uint32Array, mapAt: (handle: number) => BpfMap | undefined): Redirect | null {
  const word = (slot: number) => words[2 * slot]!;
  const flags = BigInt(word(SLOTS.redirectFlags)) + (BigInt(words[2 * SLOTS.redirectFlags + 1]!) << 32n);
  switch (word(SLOTS.redirectKind)) {
    case REDIRECT.interface: {
      const direction = (flags & BPF_F_INGRESS) !== 0n ? 'ingress' : 'egress';
      return { kind: 'ifindex', ifindex: word(SLOTS.redirectTarget), map: null, key: null, flags, direction };
    }
    case REDIRECT.map: {
      const map = mapAt(word(SLOTS.redirectMap))!;
      const ifindex = DEVICES.has(map.type.name) ? word(SLOTS.redirectTarget) : null;
      const key = word(SLOTS.redirectKey);
      return { kind: 'map', ifindex, map: map.spec.name, key, flags, direction: 'egress' };
    }
    default:
      return null;
  }
}
