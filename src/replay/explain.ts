import { OptionError } from '../base/errors.ts';
import type { Frame } from '../capture/frame.ts';
import { catalogue } from '../engine/catalogue.ts';
import type { PacketResult } from '../engine/instance.ts';
import type { ExplainedRun } from '../explain/explanation.ts';
import { runText } from '../explain/text.ts';
import { packetWatch } from '../explain/watch.ts';
import type { Control } from './control.ts';
import { packetRecord, redirectTarget } from './records.ts';
import { Replay } from './replay.ts';
import type { Subject } from './subject.ts';
import type { PacketRecord } from './tally.ts';

/** Why a packet got its verdict. */
export interface Explanation {
  /** Of the packet in the capture, from 0. */
  readonly index: number;
  /** As `--packets` has it; null where no program ran. */
  readonly packet: PacketRecord | null;
  /** Why no program ran. */
  readonly skipped: string | null;
  /** What each program did, in the order in which the packet met them. */
  readonly runs: readonly ExplainedRun[];
}

/** A replay up to one packet, whose steps are seen. */
export class Explained {
  readonly replay: Replay;
  readonly #index: number;
  #explanation: Explanation | undefined;

  /** `index` counts the packets of the capture from 0; `control` is that of the replay to be explained. */
  constructor(subject: Subject, index: number, control?: Control) {
    this.#index = index;
    const { watcher, runs } = packetWatch(catalogue);
    const packet = (frame: Frame, result: PacketResult) => {
      if (frame.index !== index) return;
      this.#explanation = { index, packet: packetRecord(frame, result, subject), skipped: null, runs: runs(result) };
    };
    const skipped = (frame: Frame, reason: string) => {
      if (frame.index === index) this.#explanation = { index, packet: null, skipped: reason, runs: [] };
    };
    const pause = pauseBefore(index, () => subject.watch(watcher), control);
    this.replay = new Replay(subject, { packet, skipped }, { stop: { packets: index + 1 }, control: pause });
  }

  /** Throws an `OptionError` where the capture has no such packet. */
  end(): Explanation {
    const { captureError } = this.replay.end();
    if (this.#explanation !== undefined) return this.#explanation;
    const fault = captureError === null ? '' : `, as it cannot be read any further: ${captureError.message}`;
    const count = this.replay.frames;
    const has = count === 0 ? 'no packets' : `packets 0 to ${count - 1}`;
    throw new OptionError('no-such-packet', `there is no packet ${this.#index}: the capture has ${has}${fault}`);
  }
}

/** Reaches a packet in JavaScript, and does what the other control does before it. */
function pauseBefore(index: number, reached: () => void, other: Control | undefined): Control {
  let isAhead = true;
  return {
    get next() {
      return Math.min(other?.next ?? Number.POSITIVE_INFINITY, isAhead ? index : Number.POSITIVE_INFINITY);
    },
    reach(at) {
      const reason = other !== undefined && at >= other.next ? other.reach(at) : null;
      if (isAhead && at >= index && reason === null) {
        isAhead = false;
        reached();
      }
      return reason;
    },
  };
}

/** For people. */
export function explanationText({ packet, skipped, runs, index }: Explanation): string {
  if (packet === null) return `packet ${index} was not run: ${skipped}`;
  const { verdict, caplen, ts_ns: time, redirect, error } = packet;
  const to = redirect === null ? '' : `, to ${redirectTarget(redirect)}`;
  const why = error === null ? '' : `: ${error}`;
  const at = `${time.slice(0, -9) || '0'}.${time.slice(-9).padStart(9, '0')}`;
  const head = `packet ${index}, ${caplen} bytes captured at ${at}: ${verdict}${to}${why}`;
  return [head, ...runs.map(runText)].join('\n\n');
}
