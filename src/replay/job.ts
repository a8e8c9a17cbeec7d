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
import { CaptureSeries } from './series.ts';
import type { Tally } from './tally.ts';
import type { ReplayRequest, ReplayResult } from './worker-protocol.ts';

export interface Progress {
  readonly packets: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
  /** What was decided so far. */
  readonly tally?: Pick<Tally, 'packets' | 'bytes' | 'verdicts'>;
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
  const { packetsFile, writeFile, recordingLimit } = request;
  const recording = openRecording({ packets: packetsFile, write: writeFile, limit: recordingLimit }, instance);
  const file = openSync(request.capture, 'r');
  const bytesTotal = fstatSync(file).size;
  let bytesRead = 0;
  const report = (packets: number) =>
    onProgress({
      packets,
      bytesRead,
      bytesTotal,
      memory: instance.memory.u8.length,
      // Made only where it is read: this is called far more often than progress is told.
      get tally() {
        const { packets, bytes, verdicts } = replay.tally;
        return { packets, bytes, verdicts };
      },
    });
  const answer = serve?.(instance.desk);
  const control = controlOf(
    request,
    instance.desk,
    answer === undefined
      ? undefined
      : (edit, index) => {
          answer(edit, index);
          report(index);
        },
  );
  const series = new CaptureSeries(() => replay.tally);
  const replay: Replay = new Replay(instance, recording.sinks, { stop: request.stop, control, window: series });
  try {
    const { buffer } = replay;
    for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) {
      bytesRead += size;
      if (!replay.push(buffer.subarray(0, size))) break;
      report(replay.frames);
    }
    replay.end();
    control?.end(replay.frames);
    if (request.mapsFile !== undefined) writeMapsFile(request.mapsFile, instance.desk);
  } finally {
    closeSync(file);
    recording.close();
  }
  const { tally, stopped } = replay;
  return {
    tally,
    stopped,
    series: series.end(),
    edits: control?.journal ?? [],
    maps: request.maps ? instance.dumpMaps() : [],
  };
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
