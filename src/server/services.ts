import type { startReplay } from '../index.ts';
import type { Events } from './events.ts';
import type { DataFiles, Limit } from './files.ts';
import type { Jobs } from './jobs.ts';
import type { ReplayMaps } from './maps.ts';
import type { Store } from './store.ts';
import type { Streams } from './streams/streams.ts';
import type { Totals } from './totals.ts';

/** What the routes work with. */
export interface Services {
  readonly store: Store;
  readonly files: DataFiles;
  readonly jobs: Jobs;
  readonly maps: ReplayMaps;
  readonly events: Events;
  readonly streams: Streams;
  readonly totals: Totals;
  readonly limits: Limits;
  /** Runs one after the other what must see and change the store and the files as one. */
  readonly exclusive: Exclusive;
}

export type Exclusive = <T>(step: () => Promise<T>) => Promise<T>;
export type StartReplay = typeof startReplay;

export interface Limits {
  readonly object: Limit;
  readonly capture: Limit;
  /** Replays at once. */
  readonly workers: number;
  /** Replays that may wait. */
  readonly queue: number;
}

/** Steps run in the order in which they are asked for; one that fails does not hold up the next. */
export function createExclusive(): Exclusive {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const result = last.then(step);
    last = result.catch(() => {});
    return result;
  };
}
