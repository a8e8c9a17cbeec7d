import { BPF_TAIL_CALL } from '../../abi/helper-names.ts';
import { MAX_FRAMES, MAX_TAIL_CALLS, STACK_BYTES } from './limits.ts';

/** Where programs keep their frames: the program's own lies at the end. */
export interface Stack {
  readonly start: number;
  readonly end: number;
  /** So many nest at most. */
  readonly frames: number;
}

export const stackBytes = (frames: number): number => frames * STACK_BYTES;

export const stackAt = (start: number, frames: number): Stack => ({ start, end: start + stackBytes(frames), frames });

/**
 * Frames that runs of these programs, as wire bytes, can nest. One that a function tail-calls takes that one's frame and
 * has as many of its own as any other: where no program makes both calls and tail calls, that cannot be.
 */
export function framesOf(programs: Iterable<Uint8Array>): number {
  for (const bytes of programs) if (callsAndTailCalls(bytes)) return MAX_FRAMES + MAX_TAIL_CALLS * (MAX_FRAMES - 1);
  return MAX_FRAMES;
}

/** RFC 9669, sections 4.3 and 4.3.2: the opcode of a call, and its kinds by source register. */
const CALL = 0x85;
const KIND = { helper: 0, local: 1 } as const;

function callsAndTailCalls(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let calls = false;
  let tailCalls = false;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    if (bytes[at] !== CALL) continue;
    const kind = bytes[at + 1]! >> 4;
    calls ||= kind === KIND.local;
    tailCalls ||= kind === KIND.helper && view.getInt32(at + 4, true) === BPF_TAIL_CALL;
  }
  return calls && tailCalls;
}
