import type { Instance } from '../../engine/instance.ts';

/**
 * Over how many workers the packets of a replay were spread: by `records`, as they come, or by `flow`, each worker with
 * the flows of its own CPUs; and what kept it to fewer than were wanted.
 */
export interface Sharing {
  readonly workers: number;
  readonly by: 'records' | 'flow' | null;
  /** Whether workers share the maps, so that results depend on which packet comes first where flows meet. */
  readonly relaxed: boolean;
  readonly because: string | null;
}

export function oneWorker(because: string): Sharing {
  return { workers: 1, by: null, relaxed: false, because };
}

/**
 * The verifier's facts decide: packets may be run apart where no program leaves anything behind that another packet
 * could meet, and CPUs may where what it leaves is for packets of the same CPU; or, `relaxed`, where all may meet it.
 */
export function sharingOf(instance: Instance, wanted: number, relaxed = false): Sharing {
  const states = instance.stateAcrossPackets();
  const unknown = states.find(({ state }) => state === undefined);
  if (unknown !== undefined)
    return oneWorker(`${unknown.program} was not verified, so that nothing is known of what it keeps`);
  const carriers = states.flatMap(({ program, state }) => state!.carriers.map((carrier) => ({ ...carrier, program })));
  const widest = carriers.find(({ reach }) => reach === 'shared') ?? carriers[0];
  if (widest === undefined) return { workers: wanted, by: 'records', relaxed: false, because: null };
  const what = `${widest.what} (instruction ${widest.pc} of ${widest.program})`;
  const isShared = widest.reach === 'shared';
  if (isShared && !relaxed) return oneWorker(`${what} carries state from packet to packet`);
  const alone = isShared ? instance.maps.find(({ type }) => type.threads === undefined) : undefined;
  if (alone !== undefined) return oneWorker(`map ${alone.spec.name} is a ${alone.type.name}, which no two can share`);
  const keeps = isShared ? `${what} carries state within and across CPUs` : `${what} keeps state for each CPU`;
  const { cpus } = instance;
  if (cpus === 1) return oneWorker(`${keeps}, and there is one: --cpus makes more`);
  const spread = { by: 'flow', relaxed: isShared } as const;
  return cpus < wanted ? { workers: cpus, ...spread, because: keeps } : { workers: wanted, ...spread, because: null };
}
