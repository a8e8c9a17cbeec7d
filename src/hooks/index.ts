import type { ProgramType } from '../abi/program-type.ts';
import { cgroupSkb } from './cgroup-skb.ts';
import { lwtIn, lwtOut, lwtXmit } from './lwt.ts';
import { socketFilter } from './socket-filter.ts';
import { schedAct, schedCls } from './tc.ts';
import { xdp } from './xdp.ts';

/** Every program type that can be replayed, by libbpf's name. */
export const programTypes: ReadonlyMap<string, ProgramType> = new Map(
  [xdp, schedCls, schedAct, socketFilter, cgroupSkb, lwtIn, lwtOut, lwtXmit].map((type) => [type.name, type]),
);
