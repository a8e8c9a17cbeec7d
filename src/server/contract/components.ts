import { Capture } from './captures.ts';
import { Problem } from './common.ts';
import { MapEntry } from './maps.ts';
import { Program } from './programs.ts';
import { Replay } from './replays.ts';
import { statsComponents } from './stats.ts';
import { Stream } from './streams.ts';
import { Template } from './templates.ts';

/** The schemas that others refer to by their `$id`. */
export const components = [Problem, Program, Capture, Replay, MapEntry, Template, Stream, ...statsComponents] as const;
