import type { Instance } from '../engine/instance.ts';
import { Replay } from './replay.ts';
import type { CaptureEnd, StreamState, StreamTally, WindowOptions } from './stream-protocol.ts';
import { sumTallies } from './stream-tally.ts';
import { emptyTally, type Tally } from './tally.ts';
import { growth, Windows } from './windows.ts';

/**
 * Captures through one instance, one after the other: maps keep what they hold. Push the bytes of a capture as they
 * come, then `end`; the next byte begins another one.
 */
export class StreamRun {
  readonly #instance: Instance;
  readonly #options: WindowOptions;
  /** Milliseconds since the epoch. */
  readonly #now: () => number;
  readonly #windows = new Windows();
  /** Of the captures that ended. */
  #tally: StreamTally;
  #frames = 0;
  #replay: Replay | undefined;
  /** Of the current capture, what has been put into windows; and the window that is open. */
  #windowed: Tally['verdicts'] = {};
  #window = 0;

  constructor(instance: Instance, options: WindowOptions, now: () => number = Date.now) {
    this.#instance = instance;
    this.#options = options;
    this.#now = now;
    this.#tally = withoutFault(emptyTally(instance.program.name, instance.program.type));
  }

  /** Packets that were read since the stream began, those that were skipped too. */
  get frames(): number {
    return this.#frames + (this.#replay?.frames ?? 0);
  }

  /** False once the capture cannot be read any further. */
  push(bytes: Uint8Array): boolean {
    this.#turnWindow();
    this.#replay ??= this.#begin();
    return this.#replay.push(bytes);
  }

  end(): CaptureEnd {
    this.#turnWindow();
    const replay = this.#replay ?? new Replay(this.#instance);
    const tally = replay.end();
    this.#fillWindow();
    this.#windowed = {};
    this.#replay = undefined;
    this.#tally = sumTallies(this.#tally, this.#frames, withoutFault(tally));
    this.#frames += replay.frames;
    return { frames: replay.frames, fault: tally.captureError };
  }

  /** As it stands. The windows are given once. */
  takeState(): StreamState {
    this.#turnWindow();
    this.#fillWindow();
    const replay = this.#replay;
    return {
      tally: replay === undefined ? this.#tally : sumTallies(this.#tally, this.#frames, withoutFault(replay.tally)),
      frames: this.frames,
      memory: this.#instance.memory.u8.length,
      windows: this.#windows.take(),
    };
  }

  #begin(): Replay {
    const { clock, seconds } = this.#options;
    if (clock === 'wall') return new Replay(this.#instance);
    const turn = (index: number) => {
      this.#fillWindow();
      this.#window = index;
    };
    return new Replay(this.#instance, {}, { window: { seconds, turn } });
  }

  /** What has run belongs to the window in which it ran: called before anything else runs. */
  #turnWindow(): void {
    if (this.#options.clock === 'capture') return;
    const window = Math.floor(this.#now() / 1000 / this.#options.seconds);
    if (window !== this.#window) this.#fillWindow();
    this.#window = window;
  }

  #fillWindow(): void {
    if (this.#replay === undefined) return;
    const { verdicts } = this.#replay.tally;
    const grown = Object.values(growth(this.#windowed, verdicts));
    if (grown.length === 0) return;
    this.#windows.add({
      index: this.#window,
      packets: grown.reduce((sum, { packets }) => sum + packets, 0),
      bytes: grown.reduce((sum, { bytes }) => sum + bytes, 0),
      verdicts: growth(this.#windowed, verdicts),
    });
    this.#windowed = verdicts;
  }
}

function withoutFault({ captureError: _, ...tally }: Tally): StreamTally {
  return tally;
}
