import type { Register } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';

/** Bytes that an instruction or a helper touches through a pointer. */
export interface Access {
  readonly base: Register;
  /** The register that holds the pointer. */
  readonly index: number;
  /** Constant offset from where the pointer points. */
  readonly offset: number;
  readonly size: number;
}

/** How each kind of memory is read and written by loads, stores and atomics. */
export interface Region {
  /** What is read, at its full size; undefined when it is refused. */
  read(v: Verification, access: Access): Register | undefined;
  /** `value` is null where no register holds it: then it is `constant`, or, if that is null too, anything. */
  write(v: Verification, access: Access, value: Register | null, constant: number | null): boolean;
}

/** `bytes 8 to 11`, `byte 8`. */
export function bytesOf(offset: number, size: number): string {
  return size === 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + size - 1}`;
}
