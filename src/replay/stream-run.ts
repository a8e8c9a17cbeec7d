import { Replay, type ReplayOptions } from './replay.ts';
import { stagesSince } from './stages.ts';
import type { CaptureEnd, StreamState, StreamTally, WindowOptions } from './stream-protocol.ts';
import { sumTallies } from './stream-tally.ts';
import type { Subject } from './subject.ts';
import type { Tally } from './tally.ts';
import { growth, Windows } from './windows.ts';

/**
 * Captures through one subject, one after the other: maps keep what they hold. Push the bytes of a capture as they
 * come, then `end`; the next byte begins another one.
 */
export class StreamRun {
  readonly #subject: Subject;
  readonly #options: WindowOptions;
  /** Milliseconds since the epoch. */
  readonly #now: () => number;
  readonly #windows = new Windows();
  /** Of the captures that ended. */
  #tally: StreamTally;
  #frames = 0;
  /** Of the current capture, or of the next one. */
  #replay: Replay;
  /** Of the current capture, what has been put into windows; and the window that is open. */
  #windowed: Pick<Tally, 'verdicts' | 'stages'>;
  #window = 0;

  constructor(subject: Subject, options: WindowOptions, now: () => number = Date.now) {
    this.#subject = subject;
    this.#options = options;
    this.#now = now;
    this.#replay = this.#begin();
    this.#windowed = this.#replay.tally;
    this.#tally = withoutFault(this.#replay.tally);
  }

  /** Packets that were read since the stream began, those that were skipped too. */
  get frames(): number {
    return this.#frames + this.#replay.frames;
  }

  /** False once the capture cannot be read any further. */
  push(bytes: Uint8Array): boolean {
    this.#turnWindow();
    return this.#replay.push(bytes);
  }

  end(): CaptureEnd {
    this.#turnWindow();
    const replay = this.#replay;
    const tally = replay.end();
    this.#fillWindow();
    this.#tally = sumTallies(this.#tally, this.#frames, withoutFault(tally));
    this.#frames += replay.frames;
    this.#replay = this.#begin(replay);
    this.#windowed = this.#replay.tally;
    return { frames: replay.frames, fault: tally.captureError };
  }

  /** As it stands. The windows are given once. */
  takeState(): StreamState {
    this.#turnWindow();
    this.#fillWindow();
    return {
      tally: sumTallies(this.#tally, this.#frames, withoutFault(this.#replay.tally)),
      frames: this.frames,
      memory: this.#subject.memory.u8.length,
      windows: this.#windows.take(),
    };
  }

  #begin(after?: Replay): Replay {
    const options: ReplayOptions = { after };
    const { clock, seconds } = this.#options;
    if (clock === 'wall') return new Replay(this.#subject, {}, options);
    const turn = (index: number) => {
      this.#fillWindow();
      this.#window = index;
    };
    return new Replay(this.#subject, {}, { ...options, window: { seconds, turn } });
  }

  /** What has run belongs to the window in which it ran: called before anything else runs. */
  #turnWindow(): void {
    if (this.#options.clock === 'capture') return;
    const window = Math.floor(this.#now() / 1000 / this.#options.seconds);
    if (window !== this.#window) this.#fillWindow();
    this.#window = window;
  }

  #fillWindow(): void {
    const { verdicts, stages } = this.#replay.tally;
    const before = this.#windowed;
    const grown = growth(before.verdicts, verdicts);
    const counts = Object.values(grown);
    if (counts.length === 0) return;
    this.#windows.add({
      index: this.#window,
      packets: counts.reduce((sum, { packets }) => sum + packets, 0),
      bytes: counts.reduce((sum, { bytes }) => sum + bytes, 0),
      verdicts: grown,
      ...(stages === undefined ? {} : { stages: stagesSince(before.stages ?? [], stages) }),
    });
    this.#windowed = { verdicts, ...(stages === undefined ? {} : { stages }) };
  }
}

function withoutFault({ captureError: _, ...tally }: Tally): StreamTally {
  return tally;
}
