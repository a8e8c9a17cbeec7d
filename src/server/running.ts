import { type Progress, type RunningReplay, Series } from '../index.ts';
import type { ReplayRecord } from './contract/replays.ts';

/** Over how long the rate is taken, in milliseconds. */
const RATE_WINDOW = 2_000;

/** A replay that runs, and what is known of it beside its record. */
export class Running {
  readonly #record: ReplayRecord;
  readonly replay: RunningReplay;
  readonly startedAt = performance.now();
  /** What was decided, by when. */
  readonly series = new Series();
  #at: Progress;
  /** Packets at a moment; the first is at least the window old. */
  readonly #samples: { readonly time: number; readonly packets: number }[] = [];

  constructor(
    record: ReplayRecord,
    start: (onProgress: (at: Progress) => void) => RunningReplay,
    onProgress: (at: Progress) => void,
  ) {
    this.#record = record;
    this.#at = { packets: 0, bytesRead: 0, bytesTotal: record.progress.bytesTotal };
    this.#samples.push({ time: this.startedAt, packets: 0 });
    this.replay = start((at) => {
      this.#at = at;
      this.#sample(at.packets);
      if (at.tally !== undefined) this.series.add(Date.now() / 1000, at.tally);
      onProgress(at);
    });
  }

  get at(): Progress {
    return this.#at;
  }

  /** The record of this moment: who asks how far it is costs the store nothing. */
  get record(): ReplayRecord {
    return { ...this.#record, progress: this.progress };
  }

  /** As the record shows it. */
  get progress(): ReplayRecord['progress'] {
    const { packets, bytesRead, bytesTotal } = this.#at;
    const first = this.#samples[0]!;
    const elapsed = performance.now() - first.time;
    return {
      packets,
      bytesRead,
      bytesTotal,
      rate: Math.round(((packets - first.packets) * 1000) / Math.max(1, elapsed)),
    };
  }

  /** Where it ended, with the rate of all of it. */
  ended(packets: number, bytesRead: number): ReplayRecord['progress'] {
    const elapsed = performance.now() - this.startedAt;
    return {
      packets,
      bytesRead,
      bytesTotal: this.#at.bytesTotal,
      rate: Math.round((packets * 1000) / Math.max(1, elapsed)),
    };
  }

  #sample(packets: number): void {
    const time = performance.now();
    this.#samples.push({ time, packets });
    while (this.#samples.length > 2 && this.#samples[1]!.time < time - RATE_WINDOW) this.#samples.shift();
  }
}
