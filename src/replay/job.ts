import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { decodeUtf8 } from '../base/bytes.ts';
import { Instance } from '../engine/instance.ts';
import type { MapDesk } from '../engine/map-desk.ts';
import { assembleObject, readObject } from '../engine/read-object.ts';
import type { ObjectSpec } from '../object/spec.ts';
import { type ControlOptions, ReplayControl } from './control.ts';
import { writeMapsFile } from './maps-file.ts';
import { openRecording } from './recording.ts';
import { Replay } from './replay.ts';
import type { ReplayRequest, ReplayResult } from './worker-protocol.ts';

const CHUNK = 1024 * 1024;

export interface Progress {
  readonly packets: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
  /** Bytes of linear memory that the instance holds: maps, packets, stacks. */
  readonly memory?: number;
}

/**
 * Replays a capture file through an object file, blocking. `onProgress` is called after each chunk of 1 MiB; what
 * `serve` gives, a few times a second between packets.
 * Throws `LoadError`, `OptionError`, `ProgramRefused`, or the file system's error; a bad capture is in the tally.
 */
export function runReplay(
  request: ReplayRequest,
  onProgress: (progress: Progress) => void = () => {},
  serve?: (desk: MapDesk) => ControlOptions['poll'],
): ReplayResult {
  const instance = new Instance(objectOf(request), request.options);
  const recording = openRecording({ packets: request.packetsFile, write: request.writeFile }, instance);
  const control = controlOf(request, instance.desk, serve?.(instance.desk));
  const replay = new Replay(instance, recording.sinks, { stop: request.stop, control });
  const file = openSync(request.capture, 'r');
  try {
    const buffer = new Uint8Array(CHUNK);
    const memory = instance.memory.u8.length;
    const bytesTotal = fstatSync(file).size;
    let bytesRead = 0;
    for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) {
      bytesRead += size;
      if (!replay.push(buffer.subarray(0, size))) break;
      onProgress({ packets: replay.frames, bytesRead, bytesTotal, memory });
    }
    replay.end();
    control?.end(replay.frames);
    if (request.mapsFile !== undefined) writeMapsFile(request.mapsFile, instance.desk);
  } finally {
    closeSync(file);
    recording.close();
  }
  const { tally, stopped } = replay;
  return { tally, stopped, edits: control?.journal ?? [], maps: request.maps ? instance.dumpMaps() : [] };
}

function controlOf({ edits, stop }: ReplayRequest, desk: MapDesk, poll: ControlOptions['poll']) {
  const wallSeconds = stop?.wallSeconds;
  if (edits === undefined && poll === undefined && wallSeconds === undefined) return undefined;
  return new ReplayControl(desk, { wallSeconds, ...(edits === undefined ? {} : { edits }), ...(poll && { poll }) });
}

/** The object that a request names. Throws `LoadError`, or the file system's error. */
export function objectOf({ object, assembly }: Pick<ReplayRequest, 'object' | 'assembly'>): ObjectSpec {
  const bytes = readFileSync(object);
  return assembly === undefined ? readObject(bytes) : assembleObject(decodeUtf8(bytes), assembly);
}
