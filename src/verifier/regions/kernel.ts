import { ANYTHING, type BtfTarget } from '../state/register.ts';
import { withinBounds } from './bounds.ts';
import type { Region } from './region.ts';

/** A structure of the kernel, read as far as the program's BTF says that it reaches. Pointers in it are not followed. */
export const kernelRegion: Region = {
  read: (v, access) =>
    withinBounds(v, access, (access.base.target as BtfTarget | null)?.size ?? 0) ? ANYTHING : undefined,
  write: (v, { index }) =>
    v.refuse('write-read-only', `r${index} points to a structure of the kernel, which cannot be written`),
};
