import type { ReplayWindow } from './replay.ts';
import type { Window } from './stream-protocol.ts';
import type { Count, Tally } from './tally.ts';
import { growth, Windows } from './windows.ts';

/** What became of packets over time: plain data. */
export interface SeriesData {
  /** Width of a window in seconds: 1, 2, 4 … */
  readonly seconds: number;
  /** By rising index, which counts widths from the epoch; those in which nothing ran are left out. */
  readonly windows: readonly Window[];
}

type Sums = Pick<Tally, 'packets' | 'bytes' | 'verdicts'>;

const MOST_WINDOWS = 600;
const NOTHING: Sums = { packets: 0, bytes: 0, verdicts: {} };

/** A growing tally cut into windows. There are never more than so many: the width doubles. */
export class Series {
  seconds = 1;
  #windows = new Windows();
  #before: Sums = NOTHING;

  /** What the tally has grown by since the last call belongs to the window of this time, in seconds since the epoch. */
  add(time: number, { packets, bytes, verdicts }: Sums): void {
    const grown = growth(this.#before.verdicts, verdicts);
    const more = { packets: packets - this.#before.packets, bytes: bytes - this.#before.bytes };
    if (more.packets > 0) this.#windows.add({ index: Math.floor(time / this.seconds), ...more, verdicts: grown });
    this.#before = { packets, bytes, verdicts: copied(verdicts) };
    if (this.#windows.size > MOST_WINDOWS) this.#widen();
  }

  get data(): SeriesData {
    return { seconds: this.seconds, windows: this.#windows.list() };
  }

  #widen(): void {
    this.seconds *= 2;
    const windows = this.#windows.take();
    for (const window of windows) this.#windows.add({ ...window, index: Math.floor(window.index / 2) });
  }
}

/** The series of a replay by capture time. `look` gives the tally as it stands. */
export class CaptureSeries implements ReplayWindow {
  readonly #series = new Series();
  readonly #look: () => Sums;
  #time: number | undefined;

  constructor(look: () => Sums) {
    this.#look = look;
  }

  get seconds(): number {
    return this.#series.seconds;
  }

  turn(index: number): void {
    const time = index * this.seconds;
    this.#settle();
    this.#time = time;
  }

  /** To be asked for once the replay is over. */
  end(): SeriesData {
    this.#settle();
    return this.#series.data;
  }

  #settle(): void {
    if (this.#time !== undefined) this.#series.add(this.#time, this.#look());
  }
}

function copied(counts: Readonly<Record<string, Count>>): Record<string, Count> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, { ...count }]));
}
