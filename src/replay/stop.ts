import type { Frame } from '../capture/frame.ts';
import type { PacketResult } from '../engine/instance.ts';

/** What ends a replay before its capture does. All but the last of them are the same every time. */
export interface StopConditions {
  /** After so many packets of the capture, those that were skipped among them. */
  readonly packets?: number;
  /** After the packet with which so many captured bytes have run. */
  readonly bytes?: number;
  /** Before the first packet that was captured so many seconds after the first one. */
  readonly seconds?: number;
  /** After the first packet whose run ends in an error. */
  readonly error?: boolean;
  /** After the first packet with this verdict. */
  readonly verdict?: string;
  /** Once the replay has run for so many seconds; asked between packets, a few times a second. */
  readonly wallSeconds?: number;
}

/** The condition that was met, or that nobody wants the rest. */
export type StopReason = keyof StopConditions | 'cancelled';

type Time = Pick<Frame, 'seconds' | 'nanoseconds'>;

/** Says of one packet after the other whether the replay ends before it, or with it. */
export class StopJudge {
  /** Which condition was met. */
  reason: StopReason | null = null;
  readonly #conditions: StopConditions;
  #first: Time | undefined;

  constructor(conditions: StopConditions) {
    this.#conditions = conditions;
  }

  isBefore({ seconds, nanoseconds }: Time): boolean {
    const { seconds: span } = this.#conditions;
    if (span === undefined) return false;
    this.#first ??= { seconds, nanoseconds };
    const elapsed = (seconds - this.#first.seconds) * 1e9 + (nanoseconds - this.#first.nanoseconds);
    return this.#met('seconds', elapsed >= span * 1e9);
  }

  /** `bytes` ran so far, this packet's among them. `result` is undefined where the packet was skipped. */
  isAfter(index: number, bytes: number, result: Pick<PacketResult, 'verdict' | 'error'> | undefined): boolean {
    const { packets, bytes: mostBytes, error, verdict } = this.#conditions;
    if (result !== undefined) {
      if (this.#met('error', error === true && result.error !== null)) return true;
      if (this.#met('verdict', verdict === result.verdict)) return true;
      if (this.#met('bytes', mostBytes !== undefined && bytes >= mostBytes)) return true;
    }
    return this.#met('packets', packets !== undefined && index + 1 >= packets);
  }

  #met(reason: StopReason, condition: boolean): boolean {
    if (condition) this.reason = reason;
    return condition;
  }
}
