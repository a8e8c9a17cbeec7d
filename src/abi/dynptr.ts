import type { Memory } from './memory.ts';

/** Of the 16 bytes of a `struct bpf_dynptr`, into which programs cannot look: where each word lies. */
const WORD = { base: 0, kind: 4, offset: 8, size: 12 } as const;
const READ_ONLY = 0x100;

export const DYNPTR_BYTES = 16;
/** Bytes that a dynptr to memory may span at most: a size is of 24 bits (enum bpf_dynptr_type shares its word). */
export const DYNPTR_MAX_SIZE = 0xff_ffff;

/** What a dynptr points into; `none` where it was to be made and could not. */
export const DYNPTR_KINDS = ['none', 'local', 'ringbuf', 'skb', 'xdp'] as const;
export type DynptrKind = (typeof DYNPTR_KINDS)[number];

/** Whether dynptrs of the kind are to memory that lies where it lies, and not to the packet. */
export function isMemory(kind: DynptrKind): boolean {
  return kind === 'local' || kind === 'ringbuf';
}

/** A dynptr as it lies in memory. */
export interface Dynptr {
  /** Address of its 16 bytes. */
  readonly at: number;
  readonly kind: DynptrKind;
  readonly readOnly: boolean;
  /** Address of the memory that it was made of; 0 of a packet, which may move. */
  readonly base: number;
  /** Bytes that it spans, and from which on, counted from `base` or the packet's data. */
  readonly offset: number;
  readonly size: number;
}

/** Undefined where no dynptr lies. */
export function readDynptr({ view }: Memory, at: number): Dynptr | undefined {
  const word = view.getUint32(at + WORD.kind, true);
  const kind = DYNPTR_KINDS[word & ~READ_ONLY];
  if (kind === undefined) return undefined;
  return {
    at,
    kind,
    readOnly: (word & READ_ONLY) !== 0,
    base: view.getUint32(at + WORD.base, true),
    offset: view.getUint32(at + WORD.offset, true),
    size: view.getUint32(at + WORD.size, true),
  };
}

export function writeDynptr({ view }: Memory, { at, kind, readOnly, base, offset, size }: Dynptr): void {
  view.setUint32(at + WORD.base, base, true);
  view.setUint32(at + WORD.kind, DYNPTR_KINDS.indexOf(kind) | (readOnly ? READ_ONLY : 0), true);
  view.setUint32(at + WORD.offset, offset, true);
  view.setUint32(at + WORD.size, size, true);
}

export function clearDynptr({ u8 }: Memory, at: number): void {
  u8.fill(0, at, at + DYNPTR_BYTES);
}
