import type { StageTally } from '../engine/pipeline.ts';
import type { SubjectFiles } from './load.ts';
import type { CaptureFault, Count, Tally } from './tally.ts';
import type { Answered, MapQuestion, ReplayFailure } from './worker-protocol.ts';

/** What a stream's worker is given. */
export interface StreamRequest extends SubjectFiles {
  readonly window: WindowOptions;
}

export interface WindowOptions {
  /** Width of a window. */
  readonly seconds: number;
  /** What a packet's window is told by: when it was captured, or when it ran. */
  readonly clock: 'capture' | 'wall';
}

/** What became of the packets of a span of time. */
export interface Window {
  /** Its beginning, in widths since the epoch. */
  readonly index: number;
  packets: number;
  bytes: number;
  /** At most so many names as a tally has. */
  readonly verdicts: Record<string, Count>;
  /** What each program of a pipeline did meanwhile. */
  readonly stages?: StageTally[];
}

/** Over all captures so far; what is wrong with one of them is told when it ends. */
export type StreamTally = Omit<Tally, 'captureError'>;

export interface StreamState {
  readonly tally: StreamTally;
  /** Packets that were read, those that were skipped too. */
  readonly frames: number;
  /** Bytes of linear memory: maps, packets, stacks. */
  readonly memory: number;
  /** What was added to each window since the state before. */
  readonly windows: readonly Window[];
}

/** How a capture ended. */
export interface CaptureEnd {
  readonly frames: number;
  readonly fault: CaptureFault | null;
}

/** To the worker. Captures come one after the other; maps are asked for between two packets. */
export type StreamOrder =
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'end' }
  | { readonly type: 'ask'; readonly question: MapQuestion };

/** From the worker. The answers to `end` and `ask` come in the order in which they were asked for. */
export type StreamReport =
  | { readonly type: 'ready'; readonly state: StreamState }
  /** So many bytes were worked off; `good` until the capture cannot be read any further. */
  | { readonly type: 'done'; readonly bytes: number; readonly good: boolean }
  | { readonly type: 'state'; readonly state: StreamState }
  | { readonly type: 'ended'; readonly end: CaptureEnd }
  | { readonly type: 'answer'; readonly answer: Answered<MapQuestion> }
  | { readonly type: 'failed'; readonly error: ReplayFailure };
