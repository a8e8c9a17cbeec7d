import type { Place } from '../abi/report.ts';

/**
 * What one run of a program did with one packet. Plain data; the texts are for people and may change, codes and the
 * names of fields do not.
 */
export interface ExplainedRun {
  readonly program: string;
  /** libbpf's name of the program's type. */
  readonly type: string;
  /** By name; null where the run ended in an error. */
  readonly verdict: string | null;
  /** Instructions that it took. */
  readonly instructions: number;
  /** Where the value that became the verdict was set, moves looked through; null where the run ended in an error. */
  readonly decision: Place | null;
  /** The last branch before the end: usually the condition that led there. Null where there was none. */
  readonly lastBranch: ToldEvent | null;
  /** In the order in which it was done. Source lines where nothing of this happened are left out. */
  readonly path: readonly ExplainedLine[];
  /** Lines left out in the middle of a path that is too long to be told. */
  readonly omitted: number;
}

/** What happened at a source line, from when the run came to it until it went to another. */
export interface ExplainedLine {
  readonly place: Place;
  /** Calls of functions of the program that it is within; 0 in its main function. */
  readonly depth: number;
  readonly events: readonly ExplainedEvent[];
}

/** An event, and where it was. */
export interface ToldEvent {
  readonly place: Place;
  readonly event: ExplainedEvent;
}

export interface ExplainedEvent {
  readonly pc: number;
  readonly kind: EventKind;
  readonly text: string;
  /** Of a branch: whether its condition held. */
  readonly taken?: boolean;
}

/** `function` enters one of the program's own; `result` is what one gave; `end` is the verdict. */
export type EventKind = 'branch' | 'call' | 'function' | 'result' | 'tail-call' | 'write' | 'end' | 'error';
