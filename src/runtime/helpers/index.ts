import type { Helper } from '../../abi/helper.ts';
import { clockHelpers } from './clock.ts';
import { mapHelpers } from './maps.ts';
import { processorHelpers } from './processor.ts';
import { redirectHelpers } from './redirect.ts';
import { xdpBytesHelpers } from './xdp-bytes.ts';
import { xdpRoomHelpers } from './xdp-room.ts';

const families: readonly (readonly Helper[])[] = [
  mapHelpers,
  clockHelpers,
  processorHelpers,
  redirectHelpers,
  xdpRoomHelpers,
  xdpBytesHelpers,
];

/** Every helper that is known here, by BPF_FUNC_*. */
export const helpers: ReadonlyMap<number, Helper> = new Map(families.flat().map((helper) => [helper.id, helper]));
