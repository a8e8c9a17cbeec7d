import type { State } from '../state/state.ts';

/**
 * How many instructions a run takes at most. When all paths from a checkpoint have ended, the longest of them is known;
 * a path that is cut off there goes on for as many. One that is cut off at a checkpoint of its own has no end that is
 * known.
 */
export class Lengths {
  #most = 0;

  /** A function begins to be walked. */
  begin(): void {
    this.#most = 0;
  }

  /** The path in `state` ends. */
  end({ parent, history }: State): void {
    this.#take(parent, history.length);
  }

  /** The path in `state` is cut off at a checkpoint. */
  join({ parent, history }: State, checkpoint: State): void {
    this.#take(parent, checkpoint.branches > 0 ? Infinity : history.length + checkpoint.longest);
  }

  /** All paths from the checkpoint have ended. */
  close({ parent, history, longest }: State): void {
    this.#take(parent, history.length + longest);
  }

  /** Of the function that was walked; null where it has no end that is known. */
  get most(): number | null {
    return this.#most === Infinity ? null : this.#most;
  }

  #take(parent: State | null, length: number): void {
    if (parent === null) this.#most = Math.max(this.#most, length);
    else if (length > parent.longest) parent.longest = length;
  }
}
