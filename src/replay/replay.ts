import { CaptureError } from '../base/errors.ts';
import { type Frame, frameTime } from '../capture/frame.ts';
import { createLinkLayer } from '../capture/link-layer.ts';
import { type CaptureReader, createCaptureReader } from '../capture/reader.ts';
import type { EmittedPacket, ProgramEvent } from '../engine/host.ts';
import { Instance, type PacketResult } from '../engine/instance.ts';
import type { StageTally } from '../engine/pipeline.ts';
import type { Control } from './control.ts';
import { Counters } from './counters.ts';
import type { FileSink } from './file-sink.ts';
import { BLOCK_BYTES, BLOCK_FRONT } from './loop/layout.ts';
import { type LoopHost, PacketLoop } from './loop/loop.ts';
import type { PacketOutput } from './output.ts';
import { packetRecord, redirectTarget } from './records.ts';
import { stagesSince } from './stages.ts';
import { type FlowShare, flowHash } from './steering.ts';
import { type StopConditions, StopJudge, type StopReason } from './stop.ts';
import type { Subject } from './subject.ts';
import { emptyTally, increment, type Tally } from './tally.ts';

/** Who wants to see what each packet did, beside the tally. Everything handed over is valid during the call only. */
export interface ReplaySinks {
  packet?(frame: Frame, result: PacketResult, subject: Subject): void;
  event?(packet: number, event: ProgramEvent): void;
  trace?(packet: number, text: string): void;
  emitted?(frame: Frame, packet: EmittedPacket): void;
  skipped?(frame: Frame, reason: string): void;
  /** Files in which each packet that ran leaves a record. */
  recorder?: PacketRecorder;
}

/** Where records of packets go: those that JavaScript makes, and those that come ready made. */
export interface PacketRecorder {
  readonly lines: FileSink | undefined;
  readonly output: PacketOutput | undefined;
}

/** Windows of capture time: as many seconds each, counted from the epoch; the number may change at a turn. */
export interface ReplayWindow {
  readonly seconds: number;
  /** Called before a packet runs that is of another window than the one before; `index` counts from the epoch. */
  turn(index: number): void;
}

export interface ReplayOptions {
  readonly stop?: StopConditions | undefined;
  readonly control?: Control | undefined;
  readonly window?: ReplayWindow | undefined;
  /** Which packets are run, where others run the rest; all of them are read. */
  readonly share?: FlowShare | undefined;
  /** One of the same subject, sinks and share that has ended: what it ran on is taken over, and its tally is gone. */
  readonly after?: Replay | undefined;
}

const SECOND = 1_000_000_000n;
/** Limits of the loop are 32-bit numbers. */
const MOST = 2 ** 32 - 1;
/** All capture times of 64 bits. */
const [FIRST_TIME, LAST_TIME] = [-(2n ** 63n), 2n ** 63n - 1n];
/** Where a condition in fractions of seconds is met is for JavaScript to say: the loop stops so many nanoseconds before. */
const MARGIN = 1024n;

/** Frames through an instance, counted. Push the bytes of a capture as they come, then `end`. */
export class Replay {
  readonly #subject: Subject;
  readonly #sinks: ReplaySinks;
  readonly #links = createLinkLayer();
  readonly #reader: CaptureReader;
  readonly #control: Control | undefined;
  readonly #stop: StopConditions;
  readonly #judge: StopJudge | undefined;
  readonly #window: ReplayWindow | undefined;
  readonly #share: FlowShare | undefined;
  readonly #loop: PacketLoop | undefined;
  readonly #counters: Counters;
  /** All that is not counted in cells. */
  readonly #tally: Tally;
  /** What the programs of a pipeline had done before. */
  readonly #stages: readonly StageTally[];
  /** Why the replay ended before its capture, where it did. */
  stopped: StopReason | null = null;
  /** The frame before which it ended was read, and is not one of the replay. */
  #unused = 0;
  /** The last frame that came one by one. */
  #last = { index: -1, seconds: 0, nanoseconds: 0 };
  #windowIndex: number | undefined;
  #windowSeconds = 0;
  /** The capture time at which the replay ends. */
  #end = LAST_TIME;

  constructor(subject: Subject, sinks: ReplaySinks = {}, options: ReplayOptions = {}) {
    const { stop, control, window, share, after } = options;
    this.#subject = subject;
    this.#sinks = sinks;
    this.#control = control;
    this.#stop = stop ?? {};
    this.#judge = stop === undefined ? undefined : new StopJudge(stop);
    this.#window = window;
    this.#share = share;
    this.#stages = structuredClone(subject.stages ?? []);
    this.#tally = emptyTally(subject.program.name, subject.program.type);
    const { lines, output } = sinks.recorder ?? { lines: undefined, output: undefined };
    const host: LoopHost = {
      wantsAll: sinks.packet !== undefined || subject.hasRingBuffers,
      ran: (frame, result, protocol) => this.#ran(frame, result, protocol),
      lines: lines && ((bytes) => lines.append(bytes)),
      frames: output && ((bytes) => output.append(bytes)),
      limits: () => this.#limits,
    };
    this.#loop = after === undefined ? loopOf(subject, host, share) : after.#loop?.renew(host);
    this.#counters = this.#loop?.counters ?? new Counters();
    const block = this.#loop?.block;
    const room = block && { bytes: block, front: BLOCK_FRONT };
    this.#reader = createCaptureReader((frame) => this.#controlled(frame), {}, this.#loop, room);
    this.#buffer = block?.subarray(BLOCK_FRONT);
  }

  /** Where bytes of the capture are best put before they are pushed; they do not stay as they are. */
  get buffer(): Uint8Array<ArrayBuffer> {
    return (this.#buffer ??= new Uint8Array(BLOCK_BYTES - BLOCK_FRONT));
  }

  #buffer: Uint8Array<ArrayBuffer> | undefined;

  /** Frames seen so far, skipped ones included. */
  get frames(): number {
    return this.#reader.packets - this.#unused;
  }

  /** Whether what was pushed ends within a record. */
  get isInRecord(): boolean {
    return this.#reader.carried > 0;
  }

  /** Headers of the capture so far: sections and interfaces. */
  get headers(): number {
    return this.#reader.sections + this.#reader.interfaces.length;
  }

  /** As it stands; it does not change any more. */
  get tally(): Tally {
    const { stages } = this.#subject;
    const skipped = { ...this.#tally.skipped };
    // Link layers are met by all who share a capture, and counted by the first.
    const links = (this.#share?.worker ?? 0) === 0 ? this.#links : { skipped: [], given: [] };
    for (const [reason, packets] of links.skipped) increment(skipped, reason, packets);
    return {
      ...structuredClone(this.#tally),
      ...this.#counters.of(this.#reader.interfaces),
      skipped,
      headerAdded: Object.fromEntries(links.given),
      lastTime: this.#tally.firstTime === null ? null : String(frameTime(this.#lastFrame)),
      ...(stages === undefined ? {} : { stages: stagesSince(this.#stages, stages) }),
    };
  }

  get #lastFrame(): { readonly seconds: number; readonly nanoseconds: number } {
    const taken = this.#loop?.last;
    return taken !== undefined && taken.index > this.#last.index ? taken : this.#last;
  }

  /** False once the capture could not be read any further, or a condition ended the replay. */
  push(chunk: Uint8Array): boolean {
    return this.#reading(() => this.#push(chunk)) && this.stopped === null;
  }

  #push(chunk: Uint8Array): void {
    const block = this.#loop?.block;
    if (block === undefined || chunk.buffer === block.buffer) {
      this.#reader.push(chunk);
      return;
    }
    const { buffer } = this;
    for (let at = 0; at < chunk.length && !this.#reader.stopped; ) {
      const piece = chunk.subarray(at, at + buffer.length);
      buffer.set(piece);
      this.#reader.push(buffer.subarray(0, piece.length));
      at += piece.length;
    }
  }

  /** Nobody wants the rest: the replay ends behind the last packet that was whole. */
  stop(): void {
    this.#reader.stop();
  }

  /** The capture is at its end, or cannot be read any further for the reason `why`; the tally is then whole. */
  end(why?: string): Tally {
    if (this.#tally.captureError === null) this.#reading(() => this.#reader.end(why));
    this.#loop?.flush();
    return this.tally;
  }

  #reading(step: () => void): boolean {
    if (this.#tally.captureError !== null) return false;
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof CaptureError)) throw error;
      this.#tally.captureError = { code: error.detail.code, message: error.message, offset: error.detail.offset };
      return false;
    }
  }

  /** How far the loop may go by itself: to the next packet at which something is to be done or decided. */
  get #limits(): { packets: number; bytes: number } {
    const { packets = Number.POSITIVE_INFINITY, bytes } = this.#stop;
    const next = Math.min(this.#control?.next ?? Number.POSITIVE_INFINITY, packets - 1);
    return {
      packets: clamp(next - this.#reader.packets),
      bytes: bytes === undefined ? MOST : clamp(bytes - this.#counters.total.bytes),
    };
  }

  #controlled(frame: Frame): 'stop' | undefined {
    const control = this.#control;
    if (control !== undefined && frame.index >= control.next) this.stopped = control.reach(frame.index);
    if (this.stopped === null && this.#judge?.isBefore(frame) === true) this.stopped = this.#judge.reason;
    if (this.stopped !== null) {
      this.#unused = 1;
      return 'stop';
    }
    this.#turn(frame);
    return this.#frame(frame) ? 'stop' : undefined;
  }

  /** Whether the replay ends behind it. */
  #frame(frame: Frame): boolean {
    this.#tally.firstTime ??= String(frameTime(frame));
    this.#last.index = frame.index;
    this.#last.seconds = frame.seconds;
    this.#last.nanoseconds = frame.nanoseconds;
    const ethernet = this.#links.toEthernet(frame);
    if (ethernet === undefined) {
      this.#sinks.skipped?.(frame, 'link type');
      return this.#endsBehind(frame);
    }
    const subject = this.#subject;
    const share = this.#share;
    if (subject.cpus > 1) subject.cpu = flowHash(ethernet) % subject.cpus;
    if (share !== undefined && subject.cpu % share.workers !== share.worker) {
      subject.pass?.(ethernet);
      return false;
    }
    const result = subject.runPacket(ethernet);
    if (result.skipped !== null) {
      increment(this.#tally.skipped, result.skipped);
      this.#sinks.skipped?.(ethernet, result.skipped);
      return this.#endsBehind(frame);
    }
    return this.#ran(ethernet, result);
  }

  /** Counts a packet that ran; whether the replay ends behind it. */
  #ran(frame: Frame, result: PacketResult, protocol?: number): boolean {
    const subject = this.#subject;
    const tally = this.#tally;
    const { redirect, error } = result;
    this.#counters.packet(frame, result.verdict, subject.executed, protocol);
    if (redirect !== null) this.#counters.redirects.add(redirectTarget(redirect), frame.end - frame.start);
    if (error !== null) {
      const { code, message } = error;
      (tally.errors[code] ??= { packets: 0, firstPacket: frame.index, message }).packets++;
    }
    this.#record(frame, result);
    this.#sinks.packet?.(frame, result, subject);
    if (subject.events.length > 0 || subject.traces.length > 0 || subject.emitted.length > 0) this.#drain(frame);
    return this.#endsBehind(frame, result);
  }

  #record(frame: Frame, result: PacketResult): void {
    const { recorder } = this.#sinks;
    if (recorder === undefined) return;
    this.#loop?.flush();
    recorder.lines?.line(JSON.stringify(packetRecord(frame, result, this.#subject)));
    recorder.output?.packet(frame, result, this.#subject);
  }

  #endsBehind({ index }: Frame, result?: PacketResult): boolean {
    const judge = this.#judge;
    if (judge?.isAfter(index, this.#counters.total.bytes, result) !== true) return false;
    this.stopped = judge.reason;
    return true;
  }

  /** Says so when a frame is of another window, and keeps the loop to the frame's window and the replay's time. */
  #turn(frame: Frame): void {
    const { seconds: span } = this.#stop;
    if (span !== undefined && this.#tally.firstTime === null && span < Number.MAX_SAFE_INTEGER) {
      this.#end = frameTime(frame) + BigInt(Math.floor(span * 1e9)) - MARGIN;
      this.#loop?.window(FIRST_TIME, this.#end - FIRST_TIME);
    }
    const window = this.#window;
    if (window === undefined) return;
    const { seconds } = window;
    const index = Math.floor(frame.seconds / seconds);
    if (index === this.#windowIndex && seconds === this.#windowSeconds) return;
    this.#windowIndex = index;
    this.#windowSeconds = seconds;
    window.turn(index);
    const isWhole = Number.isInteger(seconds);
    const from = BigInt(isWhole ? index * seconds : frame.seconds) * SECOND;
    const to = from + BigInt(isWhole ? seconds : 1) * SECOND;
    const end = to < this.#end ? to : this.#end;
    this.#loop?.window(from, end > from ? end - from : 0n);
  }

  /** Takes away what the program sent while the packet ran. */
  #drain(frame: Frame): void {
    const { events, traces, emitted } = this.#subject;
    for (const event of events.splice(0)) {
      increment(this.#tally.events, event.map);
      this.#sinks.event?.(frame.index, event);
    }
    for (const text of traces.splice(0)) {
      this.#tally.traces++;
      this.#sinks.trace?.(frame.index, text);
    }
    for (const packet of emitted.splice(0)) this.#sinks.emitted?.(frame, packet);
  }
}

function loopOf(subject: Subject, host: LoopHost, share: FlowShare | undefined): PacketLoop | undefined {
  return subject instanceof Instance ? PacketLoop.of(subject, host, share) : undefined;
}

function clamp(limit: number): number {
  return Math.max(0, Math.min(limit, MOST));
}
