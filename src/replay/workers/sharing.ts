import type { Instance } from '../../engine/instance.ts';

/**
 * Over how many workers the packets of a replay were spread: by `records`, as they come, or by `flow`, each worker with
 * the flows of its own CPUs; and what kept it to fewer than were wanted.
 */
export interface Sharing {
  readonly workers: number;
  readonly by: 'records' | 'flow' | null;
  readonly because: string | null;
}

export function oneWorker(because: string): Sharing {
  return { workers: 1, by: null, because };
}

/**
 * The verifier's facts decide: packets may be run apart where no program leaves anything behind that another packet
 * could meet, and CPUs may where what it leaves is for packets of the same CPU.
 */
export function sharingOf(instance: Instance, wanted: number): Sharing {
  const states = instance.stateAcrossPackets();
  const unknown = states.find(({ state }) => state === undefined);
  if (unknown !== undefined)
    return oneWorker(`${unknown.program} was not verified, so that nothing is known of what it keeps`);
  const carriers = states.flatMap(({ program, state }) => state!.carriers.map((carrier) => ({ ...carrier, program })));
  const widest = carriers.find(({ reach }) => reach === 'shared') ?? carriers[0];
  if (widest === undefined) return { workers: wanted, by: 'records', because: null };
  const what = `${widest.what} (instruction ${widest.pc} of ${widest.program})`;
  if (widest.reach === 'shared') return oneWorker(`${what} carries state from packet to packet`);
  const { cpus } = instance;
  if (cpus === 1) return oneWorker(`${what} keeps state for each CPU, and there is one: --cpus makes more`);
  if (cpus < wanted) return { workers: cpus, by: 'flow', because: `${what} keeps state for each CPU` };
  return { workers: wanted, by: 'flow', because: null };
}
