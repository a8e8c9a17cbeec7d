import type { InstanceOptions } from '../engine/instance.ts';
import type { MapDump } from '../engine/map-dump.ts';
import type { AssemblyObjectOptions } from '../engine/read-object.ts';
import type { TimedEdit } from './control.ts';
import type { Progress } from './job.ts';
import type { StopConditions, StopReason } from './stop.ts';
import type { Tally } from './tally.ts';

/** What a replay worker is given. Files, not bytes: nothing big is copied between threads. */
export interface ReplayRequest {
  /** Path of the object. */
  readonly object: string;
  /** Given where the object is assembly text: what that text does not say of itself. */
  readonly assembly?: AssemblyObjectOptions;
  /** Path of the capture. */
  readonly capture: string;
  readonly options: InstanceOptions;
  /** Whether the maps' final contents are wanted. */
  readonly maps: boolean;
  /** Where to write one JSON line a packet, and the packets as they left. */
  readonly packetsFile?: string;
  readonly writeFile?: string;
  readonly stop?: StopConditions;
  /** Edits of maps that are done between packets, by rising `before`. */
  readonly edits?: readonly TimedEdit[];
}

export interface ReplayResult {
  readonly tally: Tally;
  /** Which condition ended it before its capture did. */
  readonly stopped: StopReason | null;
  /** All edits of maps that were done, those of the request among them. */
  readonly edits: readonly TimedEdit[];
  readonly maps: readonly MapDump[];
}

/** What a worker posts. Progress comes a few times a second, and ends with `done` or `failed`. */
export type ReplayMessage =
  | ({ readonly type: 'progress' } & Progress)
  | { readonly type: 'done'; readonly result: ReplayResult }
  | { readonly type: 'failed'; readonly error: ReplayFailure };

/** An error by cause, as plain data. */
export interface ReplayFailure {
  /** `LoadError`, `OptionError`, `ProgramRefused`, `SystemError`, `Cancelled`; anything else is `InternalError`. */
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** A replay that runs in a thread of its own. */
export interface RunningReplay {
  /** Never rejects: whatever goes wrong is a `ReplayFailure`. */
  readonly finished: Promise<ReplayResult | ReplayFailure>;
  cancel(): Promise<void>;
}
