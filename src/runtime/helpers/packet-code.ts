import type { Routines } from '../../abi/routines.ts';
import type { Expression } from '../../wasm/expression.ts';

/** Bytes of the packet, those in fragments included. */
export const packetLength = (routines: Routines): Expression =>
  routines.slot('packetBytesEnd').load().sub(routines.slot('packetData').load());
