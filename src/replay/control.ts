import type { MapDesk, MapEdit } from '../engine/map-desk.ts';
import type { StopReason } from './stop.ts';

/** Who is asked between packets. */
export interface Control {
  /** Index in the capture of the packet before which `reach` is called next, or the first one behind it. */
  readonly next: number;
  /** Moves `next` on. A reason ends the replay before this packet. */
  reach(index: number): StopReason | null;
}

/** An edit of a map, and the index of the packet before which it is done. */
export interface TimedEdit extends MapEdit {
  readonly before: number;
}

export interface ControlOptions {
  /** In the order in which they are done: `before` never falls. */
  readonly edits?: readonly TimedEdit[];
  /**
   * Asked a few times a second: what others want of the replay. `edit` does an edit before the packet `index`; `cancelled`
   * ends the replay before it.
   */
  readonly poll?: (edit: (edit: MapEdit) => TimedEdit, index: number) => 'cancelled' | undefined;
  readonly wallSeconds?: number | undefined;
}

/** Milliseconds between polls, about. */
const POLL_INTERVAL = 20;
const MOST_PACKETS_BETWEEN = 2 ** 20;

/**
 * Does scheduled edits before their packets, lets others read and edit the maps while packets run, and keeps a journal:
 * its edits, given to another run as `edits`, give the same result.
 */
export class ReplayControl implements Control {
  /** What was done, in this order. */
  readonly journal: TimedEdit[] = [];
  next = 0;
  readonly #desk: MapDesk;
  readonly #options: ControlOptions;
  readonly #edits: readonly TimedEdit[];
  readonly #end: number;
  #done = 0;
  #isCancelled = false;
  /** Packets between two polls; found out as packets run. */
  #pace = 1;
  #polledAt = performance.now();

  /** Throws `OptionError` when an edit names what is not there. */
  constructor(desk: MapDesk, options: ControlOptions) {
    this.#desk = desk;
    this.#options = options;
    this.#edits = options.edits ?? [];
    for (const { map, key } of this.#edits) desk.resolve({ map, key, change: null, mode: 'any' });
    this.#end = performance.now() + (options.wallSeconds ?? Number.POSITIVE_INFINITY) * 1000;
    if (!this.#polls) this.next = this.#edits[0]?.before ?? Number.POSITIVE_INFINITY;
  }

  reach(index: number): StopReason | null {
    for (let edit = this.#edits[this.#done]; edit !== undefined && edit.before <= index; ) {
      this.#apply(edit);
      edit = this.#edits[++this.#done];
    }
    const scheduled = this.#edits[this.#done]?.before ?? Number.POSITIVE_INFINITY;
    this.next = this.#polls ? Math.min(scheduled, index + this.#poll(index)) : scheduled;
    if (this.#isCancelled) return 'cancelled';
    return performance.now() >= this.#end ? 'wallSeconds' : null;
  }

  /** The last packet was `index` − 1: what is left is done behind it. */
  end(index: number): void {
    for (const edit of this.#edits.slice(this.#done)) this.#apply(edit);
    this.#done = this.#edits.length;
    this.#ask(index);
  }

  get #polls(): boolean {
    return this.#options.poll !== undefined || this.#options.wallSeconds !== undefined;
  }

  #poll(index: number): number {
    const elapsed = performance.now() - this.#polledAt;
    const pace = Math.round((this.#pace * POLL_INTERVAL) / Math.max(elapsed, 0.01));
    // An edit that is due may bring it here sooner: then that says little of the pace.
    this.#pace = Math.min(Math.max(1, pace), this.#pace * 4, MOST_PACKETS_BETWEEN);
    this.#ask(index);
    this.#polledAt = performance.now();
    return this.#pace;
  }

  #ask(index: number): void {
    this.#desk.refresh();
    const answer = this.#options.poll?.((edit) => this.#apply({ ...edit, before: index }), index);
    this.#isCancelled ||= answer === 'cancelled';
  }

  #apply(edit: TimedEdit): TimedEdit {
    this.#desk.apply(edit);
    this.journal.push(edit);
    return edit;
  }
}
