import type { Instance } from '../../engine/instance.ts';

/** Over how many workers the packets of a replay were spread, and what kept it to one where more were wanted. */
export interface Sharing {
  readonly workers: number;
  readonly because: string | null;
}

/**
 * The verifier's facts decide: packets may be run apart where no program leaves anything behind that another packet
 * could meet.
 */
export function sharingOf(instance: Instance, wanted: number): Sharing {
  const one = (because: string): Sharing => ({ workers: 1, because });
  for (const { program, state } of instance.stateAcrossPackets()) {
    if (state === undefined) return one(`${program} was not verified, so that nothing is known of what it keeps`);
    const [carrier] = state.carriers;
    if (carrier !== undefined) {
      return one(`${carrier.what} (instruction ${carrier.pc} of ${program}) carries state from packet to packet`);
    }
  }
  return { workers: wanted, because: null };
}
