import { createDecisions, type Decisions } from '../decisions.ts';

/** Sums over all streams since the daemon started, deleted ones too. */
export interface StreamTotals {
  readonly decided: Decisions;
  /** Captures that were begun, were bad or cut, and were turned away. */
  connections: number;
  failed: number;
  refused: number;
  bytes: number;
  /** Packets that were read, and those that their source lost. */
  packets: number;
  dropped: number;
}

export function createStreamTotals(): StreamTotals {
  return { decided: createDecisions(), connections: 0, failed: 0, refused: 0, bytes: 0, packets: 0, dropped: 0 };
}
