import {
  ANYTHING,
  BORROWED,
  isPacket,
  NULLABLE,
  PACKET_SLICE,
  RCU,
  UNSET,
  UNTRUSTED,
  withFlags,
} from '../state/register.ts';
import { type Frame, mapRegisters, type State } from '../state/state.ts';

/** r0 and the arguments. */
const CLOBBERED = 6;

/** A call leaves nothing in r0 to r5. */
export function clobber({ registers }: Frame): void {
  for (let i = 0; i < CLOBBERED; i++) registers[i] = UNSET;
}

/** Pointers into the packet, and its end, are void: they become mere numbers. */
export function forgetPacket(state: State): void {
  mapRegisters(state, (register) =>
    isPacket(register) || register.kind === 'packet-end' || (register.flags & PACKET_SLICE) !== 0 ? ANYTHING : register,
  );
}

/** Objects in lists and trees are anyone's once the lock is given back. */
export function forgetBorrowed(state: State): void {
  mapRegisters(state, (register) => ((register.flags & BORROWED) !== 0 ? ANYTHING : register));
}

/** What RCU kept may be gone: of the kernel's structures it can still be read. */
export function forgetRcu(state: State): void {
  mapRegisters(state, (register) => {
    const { kind, flags } = register;
    if ((flags & RCU) === 0) return register;
    return kind === 'btf' ? withFlags(register, (flags & ~(RCU | NULLABLE)) | UNTRUSTED) : ANYTHING;
  });
}

/** What was acquired is given back: all that points to it is void. */
export function releaseReference(state: State, reference: number): void {
  state.references = state.references.filter((each) => each.id !== reference);
  mapRegisters(state, (register) => (register.reference === reference ? ANYTHING : register));
}
