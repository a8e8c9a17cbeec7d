import { describeKind } from '../report/words.ts';
import { ANYTHING, READ_ONLY } from '../state/register.ts';
import { withinBounds } from './bounds.ts';
import type { Region } from './region.ts';

/** sizeof(struct bpf_flow_keys) of linux/bpf.h. */
const FLOW_KEYS = 56;

/** Memory of a known size: a ring buffer's record, an argument of a global function. */
export const memoryRegion: Region = {
  read: (v, access) => (withinBounds(v, access, access.base.extent) ? ANYTHING : undefined),
  write(v, access) {
    if ((access.base.flags & READ_ONLY) !== 0) {
      return v.refuse('write-read-only', `r${access.index} (${describeKind(access.base)}) can only be read`);
    }
    return withinBounds(v, access, access.base.extent);
  },
};

export const flowKeysRegion: Region = {
  read: (v, access) => (withinBounds(v, access, FLOW_KEYS) ? ANYTHING : undefined),
  write: (v, access) => withinBounds(v, access, FLOW_KEYS),
};
