import type { EntryPage, MapEdit, ShownEntry, WantedEdit } from '../engine/map-desk.ts';
import type { MapDump } from '../engine/map-dump.ts';
import type { KeeperOptions } from '../engine/map-keeper.ts';
import type { TimedEdit } from './control.ts';
import type { Explanation } from './explain.ts';
import type { RecordingLimit } from './file-sink.ts';
import type { Progress } from './job.ts';
import type { SubjectFiles } from './load.ts';
import type { SeriesData } from './series.ts';
import type { StopConditions, StopReason } from './stop.ts';
import type { Tally } from './tally.ts';

/** What a replay worker is given. */
export interface ReplayRequest extends SubjectFiles {
  /** Path of the capture. */
  readonly capture: string;
  /** Whether the maps' final contents are wanted, and where to write them. */
  readonly maps: boolean;
  readonly mapsFile?: string;
  /** Where to write one JSON line a packet, and the packets as they left. */
  readonly packetsFile?: string;
  readonly writeFile?: string;
  /** Bytes that each of these files may take, and the option that allows more. As many as it takes unless told. */
  readonly recordingLimit?: RecordingLimit;
  readonly stop?: StopConditions;
  /** Edits of maps that are done between packets, by rising `before`. */
  readonly edits?: readonly TimedEdit[];
}

/** What is to be explained: a packet of a replay, by its index in the capture. */
export interface ExplainRequest
  extends Pick<ReplayRequest, 'object' | 'assembly' | 'capture' | 'stages' | 'options' | 'edits'> {
  readonly index: number;
}

export interface ReplayResult {
  readonly tally: Tally;
  /** What ended it before its capture did. One that was cancelled leaves no maps. */
  readonly stopped: StopReason | null;
  /** What became of packets by capture time. */
  readonly series: SeriesData;
  /** All edits of maps that were done, those of the request among them. */
  readonly edits: readonly TimedEdit[];
  readonly maps: readonly MapDump[];
}

/** What a worker posts. Progress comes a few times a second, and ends with `done` or `failed`. */
export type ReplayMessage =
  | ({ readonly type: 'progress' } & Progress)
  | { readonly type: 'done'; readonly result: ReplayResult }
  | { readonly type: 'explained'; readonly explanation: Explanation }
  | { readonly type: 'failed'; readonly error: ReplayFailure }
  | MapReply;

/** An error by cause, as plain data. */
export interface ReplayFailure {
  /** `LoadError`, `OptionError`, `ProgramRefused`, `SystemError`, `Cancelled`; anything else is `InternalError`. */
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** What whoever holds maps is asked. */
export type MapQuestion =
  | { readonly ask: 'entry'; readonly map: string; readonly key: string }
  | { readonly ask: 'entries'; readonly map: string; readonly at: number; readonly limit: number }
  | { readonly ask: 'edit'; readonly edit: WantedEdit };

/** An edit as it was done; `before` is the packet that came next, null where the replay was over. */
export type DoneEdit = MapEdit & { readonly before: number | null };

interface MapAnswers {
  readonly entry: ShownEntry | null;
  readonly entries: EntryPage;
  readonly edit: DoneEdit;
}
/** What the question is answered with. */
export type AnswerTo<Q extends MapQuestion> = MapAnswers[Q['ask']];
export type Answered<Q extends MapQuestion> = { readonly found: AnswerTo<Q> } | { readonly error: ReplayFailure };

/** What a replay is sent while it runs. */
export type ReplayOrder = MapRequest | 'cancel';

/** What a thread that holds maps is sent, and what it posts back. */
export interface MapRequest {
  readonly id: number;
  readonly question: MapQuestion;
}
export interface MapReply {
  readonly type: 'answer';
  readonly id: number;
  readonly answer: Answered<MapQuestion>;
}

/** Whom to ask of maps. Never rejects; a holder that ends answers `ended`. */
export interface MapHolder {
  ask<Q extends MapQuestion>(question: Q): Promise<Answered<Q>>;
}

/** A thread that holds the maps of a replay that has ended. */
export interface KeepRequest extends Pick<ReplayRequest, 'object' | 'assembly' | 'stages'> {
  /** The program that runs, where it was named. */
  readonly program?: string | undefined;
  readonly options: KeeperOptions;
  /** As `mapsFile` of the replay wrote it. */
  readonly contents: string;
  /** What was changed since. */
  readonly edits: readonly MapEdit[];
}

export interface MapKeeper extends MapHolder {
  /** Resolves once the thread is gone. */
  close(): Promise<void>;
}

/** What a worker does. */
export type WorkerJob =
  | { readonly do: 'replay'; readonly request: ReplayRequest }
  | { readonly do: 'explain'; readonly request: ExplainRequest }
  | { readonly do: 'keep'; readonly request: KeepRequest };

/** A replay that runs in a thread of its own. */
export interface RunningReplay extends MapHolder {
  /** Never rejects: whatever goes wrong is a `ReplayFailure`. */
  readonly finished: Promise<ReplayResult | ReplayFailure>;
  /**
   * Ends it between two packets, with the result up to there; or, where that takes too long, with a failure. Then what was
   * decided is known from the progress that was told last.
   */
  cancel(): Promise<void>;
}

/** A packet that is being explained in a thread of its own. */
export interface RunningExplanation {
  /** Never rejects: whatever goes wrong is a `ReplayFailure`. */
  readonly finished: Promise<Explanation | ReplayFailure>;
  cancel(): Promise<void>;
}
