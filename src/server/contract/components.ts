import { Capture } from './captures.ts';
import { Problem } from './common.ts';
import { Program } from './programs.ts';
import { Replay } from './replays.ts';
import { Stream } from './streams.ts';
import { statsComponents } from './stats.ts';

/** The schemas that others refer to by their `$id`. */
export const components = [Problem, Program, Capture, Replay, Stream, ...statsComponents] as const;
