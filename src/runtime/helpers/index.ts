import type { Helper } from '../../abi/helper.ts';
import { checksumHelpers } from './checksum.ts';
import { clockHelpers } from './clock.ts';
import { dynptrHelpers } from './dynptr.ts';
import { fibHelpers } from './fib.ts';
import { loopHelpers } from './loop.ts';
import { mapHelpers } from './maps.ts';
import { mtuHelpers } from './mtu.ts';
import { perfHelpers } from './perf.ts';
import { processorHelpers } from './processor.ts';
import { redirectHelpers } from './redirect.ts';
import { ringBufferHelpers } from './ring-buffer.ts';
import { skbHelpers } from './skb.ts';
import { socketHelpers } from './sockets.ts';
import { spinLockHelpers } from './spin-lock.ts';
import { stringHelpers } from './strings.ts';
import { traceHelpers } from './trace.ts';
import { verifyOnlyHelpers } from './verify-only.ts';
import { xdpBytesHelpers } from './xdp-bytes.ts';
import { xdpRoomHelpers } from './xdp-room.ts';

const families: readonly (readonly Helper[])[] = [
  checksumHelpers,
  clockHelpers,
  dynptrHelpers,
  fibHelpers,
  loopHelpers,
  mapHelpers,
  mtuHelpers,
  perfHelpers,
  processorHelpers,
  redirectHelpers,
  ringBufferHelpers,
  skbHelpers,
  socketHelpers,
  spinLockHelpers,
  stringHelpers,
  traceHelpers,
  verifyOnlyHelpers,
  xdpBytesHelpers,
  xdpRoomHelpers,
];

/** Every helper that is known here, by BPF_FUNC_*. */
export const helpers: ReadonlyMap<number, Helper> = new Map(families.flat().map((helper) => [helper.id, helper]));
