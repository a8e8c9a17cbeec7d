import { CaptureError } from '../base/errors.ts';
import { type Frame, frameTime } from '../capture/frame.ts';
import { createLinkLayer } from '../capture/link-layer.ts';
import { type CaptureReader, createCaptureReader } from '../capture/reader.ts';
import type { EmittedPacket, ProgramEvent } from '../engine/host.ts';
import type { Instance, PacketResult } from '../engine/instance.ts';
import type { Control } from './control.ts';
import { redirectTarget } from './records.ts';
import { flowHash } from './steering.ts';
import { type StopConditions, StopJudge, type StopReason } from './stop.ts';
import { count, emptyTally, increment, type Tally } from './tally.ts';

/** Who wants to see what each packet did, beside the tally. Everything handed over is valid during the call only. */
export interface ReplaySinks {
  packet?(frame: Frame, result: PacketResult, instance: Instance): void;
  event?(packet: number, event: ProgramEvent): void;
  trace?(packet: number, text: string): void;
  emitted?(frame: Frame, packet: EmittedPacket): void;
  skipped?(frame: Frame, reason: string): void;
}

export interface ReplayOptions {
  readonly stop?: StopConditions | undefined;
  readonly control?: Control | undefined;
}

/** Frames through an instance, counted. Push the bytes of a capture as they come, then `end`. */
export class Replay {
  readonly tally: Tally;
  readonly #instance: Instance;
  readonly #sinks: ReplaySinks;
  readonly #links = createLinkLayer();
  readonly #reader: CaptureReader;
  readonly #control: Control | undefined;
  readonly #judge: StopJudge | undefined;
  /** Why the replay ended before its capture, where it did. */
  stopped: StopReason | null = null;
  /** The frame before which it ended was read, and is not one of the replay. */
  #unused = 0;
  #last = { seconds: 0, nanoseconds: 0 };

  constructor(instance: Instance, sinks: ReplaySinks = {}, { stop, control }: ReplayOptions = {}) {
    this.#instance = instance;
    this.#sinks = sinks;
    this.#control = control;
    this.#judge = stop === undefined ? undefined : new StopJudge(stop);
    this.tally = emptyTally(instance.program.name, instance.program.type);
    this.#reader = createCaptureReader((frame) => this.#controlled(frame));
  }

  /** Frames seen so far, skipped ones included. */
  get frames(): number {
    return this.#reader.packets - this.#unused;
  }

  /** False once the capture could not be read any further, or a condition ended the replay. */
  push(chunk: Uint8Array): boolean {
    return this.#reading(() => this.#reader.push(chunk)) && this.stopped === null;
  }

  /** The capture is at its end; the tally is then whole. */
  end(): Tally {
    if (this.tally.captureError === null) this.#reading(() => this.#reader.end());
    if (this.tally.firstTime !== null) this.tally.lastTime = String(frameTime(this.#last));
    for (const [link, packets] of this.#links.given) increment(this.tally.headerAdded, link, packets);
    for (const [reason, packets] of this.#links.skipped) increment(this.tally.skipped, reason, packets);
    return this.tally;
  }

  #reading(step: () => void): boolean {
    if (this.tally.captureError !== null) return false;
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      this.tally.captureError = { code: error.detail.code, message: error.message, offset: error.detail.offset };
      return false;
    }
  }

  #controlled(frame: Frame): 'stop' | undefined {
    const control = this.#control;
    const judge = this.#judge;
    if (control !== undefined && frame.index >= control.next) this.stopped = control.reach(frame.index);
    if (this.stopped === null && judge?.isBefore(frame) === true) this.stopped = judge.reason;
    if (this.stopped !== null) {
      this.#unused = 1;
      return 'stop';
    }
    const result = this.#frame(frame);
    if (judge?.isAfter(frame.index, this.tally.bytes, result) !== true) return undefined;
    this.stopped = judge.reason;
    return 'stop';
  }

  /** What became of it; undefined where it was skipped. */
  #frame(frame: Frame): PacketResult | undefined {
    const { tally } = this;
    tally.firstTime ??= String(frameTime(frame));
    this.#last.seconds = frame.seconds;
    this.#last.nanoseconds = frame.nanoseconds;
    const ethernet = this.#links.toEthernet(frame);
    if (ethernet === undefined) {
      this.#sinks.skipped?.(frame, 'link type');
      return undefined;
    }
    const instance = this.#instance;
    if (instance.cpus > 1) instance.cpu = flowHash(ethernet) % instance.cpus;
    const result = instance.runPacket(ethernet);
    if (result.skipped !== null) {
      increment(tally.skipped, result.skipped);
      this.#sinks.skipped?.(ethernet, result.skipped);
      return undefined;
    }
    const bytes = ethernet.end - ethernet.start;
    tally.packets++;
    tally.bytes += bytes;
    tally.instructions += instance.executed;
    count(tally.verdicts, result.verdict, bytes);
    if (result.redirect !== null) count(tally.redirects, redirectTarget(result.redirect), bytes);
    if (result.error !== null) {
      const { code, message } = result.error;
      (tally.errors[code] ??= { packets: 0, firstPacket: frame.index, message }).packets++;
    }
    this.#sinks.packet?.(ethernet, result, instance);
    if (instance.events.length > 0 || instance.traces.length > 0 || instance.emitted.length > 0) this.#drain(ethernet);
    return result;
  }

  /** Takes away what the program sent while the packet ran. */
  #drain(frame: Frame): void {
    const { events, traces, emitted } = this.#instance;
    for (const event of events.splice(0)) {
      increment(this.tally.events, event.map);
      this.#sinks.event?.(frame.index, event);
    }
    for (const text of traces.splice(0)) {
      this.tally.traces++;
      this.#sinks.trace?.(frame.index, text);
    }
    for (const packet of emitted.splice(0)) this.#sinks.emitted?.(frame, packet);
  }
}
