import { PACKET_WRITERS } from '../../abi/program-type.ts';
import { describeKind, describeScalar } from '../report/words.ts';
import { ANYTHING, signedMin } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { type Access, bytesOf, type Region } from './region.ts';

/** Packet data is there as far as a comparison with its end has shown. */
export const packetRegion: Region = {
  read: (v, access) => (packetCovers(v, access) ? ANYTHING : undefined),
  write(v, access) {
    if (!mayWritePacket(v)) {
      return v.refuse('write-read-only', `programs of type ${v.program.type} cannot write to the packet`);
    }
    return packetCovers(v, access);
  },
};

export function mayWritePacket(v: Verification): boolean {
  return PACKET_WRITERS.has(v.program.type);
}

/** The range of a packet pointer counts from where its variable part leads. */
export function packetCovers(v: Verification, access: Access, emptyAllowed = false): boolean {
  const { base, index, size } = access;
  if (signedMin(base.value) < 0) {
    return v.refuse(
      'out-of-bounds',
      `r${index} (${describeKind(base)}) may point before the packet: its variable part is ${describeScalar(base.value)}`,
      'Use an unsigned index, or check that it is not negative',
    );
  }
  const offset = access.offset + base.offset;
  const known = base.extent;
  const sizeFits = size > 0 || (size === 0 && emptyAllowed);
  if (known >= 0 && offset >= 0 && sizeFits && offset + size <= known) return true;
  const there = known > 0 ? `only ${known} are known to be there` : 'none is known to be there';
  return v.refuse(
    'packet-bounds',
    `${bytesOf(offset, size)} of the packet through r${index}: ${there}`,
    `Compare a pointer to the end of what you need with data_end first: if (data + ${offset + size} > data_end) return …`,
  );
}
