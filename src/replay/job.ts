import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { decodeUtf8 } from '../base/bytes.ts';
import { Instance } from '../engine/instance.ts';
import type { MapDesk } from '../engine/map-desk.ts';
import { Pipeline } from '../engine/pipeline.ts';
import { selectProgram } from '../engine/programs.ts';
import { type AssemblyObjectOptions, assembleObject, readObject } from '../engine/read-object.ts';
import type { ObjectSpec } from '../object/spec.ts';
import { type ControlOptions, ReplayControl } from './control.ts';
import { Explained, type Explanation } from './explain.ts';
import { writeMapsFile } from './maps-file.ts';
import { pushFrom } from './push-from.ts';
import { openRecording } from './recording.ts';
import { Replay } from './replay.ts';
import { CaptureSeries } from './series.ts';
import type { Subject } from './subject.ts';
import type { Tally } from './tally.ts';
import type { ExplainRequest, KeepRequest, ReplayRequest, ReplayResult } from './worker-protocol.ts';

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
  const subject = subjectOf(request);
  const { packetsFile, writeFile, recordingLimit } = request;
  const recording = openRecording({ packets: packetsFile, write: writeFile, limit: recordingLimit }, subject);
  const file = openSync(request.capture, 'r');
  const bytesTotal = fstatSync(file).size;
  let bytesRead = 0;
  const report = (packets: number) =>
    onProgress({
      packets,
      bytesRead,
      bytesTotal,
      memory: subject.memory.u8.length,
      // Made only where it is read: this is called far more often than progress is told.
      get tally() {
        const { packets, bytes, verdicts } = replay.tally;
        return { packets, bytes, verdicts };
      },
    });
  const answer = serve?.(subject.desk);
  const control = controlOf(
    request,
    subject.desk,
    answer === undefined
      ? undefined
      : (edit, index) => {
          answer(edit, index);
          report(index);
        },
  );
  const series = new CaptureSeries(() => replay.tally);
  const replay: Replay = new Replay(subject, recording.sinks, { stop: request.stop, control, window: series });
  try {
    for (let size = pushFrom(file, replay); size > 0; size = pushFrom(file, replay)) {
      bytesRead += size;
      report(replay.frames);
    }
    replay.end();
    control?.end(replay.frames);
    if (request.mapsFile !== undefined) writeMapsFile(request.mapsFile, subject.desk);
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
    maps: request.maps ? subject.dumpMaps() : [],
  };
}

/**
 * Replays a capture file up to one packet, blocking, and tells why that got its verdict.
 * Throws as `runReplay` does, and an `OptionError` where there is no such packet.
 */
export function explainPacket({ index, ...request }: ExplainRequest): Explanation {
  const subject = subjectOf(request);
  const explained = new Explained(subject, index, controlOf(request, subject.desk, undefined));
  const file = openSync(request.capture, 'r');
  try {
    while (pushFrom(file, explained.replay) > 0);
  } finally {
    closeSync(file);
  }
  return explained.end();
}

function controlOf(
  { edits, stop }: Pick<ReplayRequest, 'edits' | 'stop'>,
  desk: MapDesk,
  poll: ControlOptions['poll'],
) {
  const wallSeconds = stop?.wallSeconds;
  if (edits === undefined && poll === undefined && wallSeconds === undefined) return undefined;
  return new ReplayControl(desk, { wallSeconds, ...(edits === undefined ? {} : { edits }), ...(poll && { poll }) });
}

function subjectOf({ options, stages, ...first }: Omit<ExplainRequest, 'index'>): Subject {
  const { program, type } = options;
  if (stages === undefined) return new Instance(readObjectOf(first.object, first.assembly), options);
  const objects = objectsOf({ ...first, stages, program });
  const all = [{ program, type }, ...stages].map((stage, index) => ({ ...stage, object: objects[index]!.object }));
  return new Pipeline(all, options);
}

interface LoadedObject {
  readonly object: ObjectSpec;
  /** The program that runs. */
  readonly program: string;
}

/**
 * The objects of a request's programs, one after the other; those of one file are the same. Throws `LoadError`,
 * `OptionError`, or the file system's error.
 */
export function objectsOf({
  stages = [],
  ...first
}: Pick<KeepRequest, 'object' | 'assembly' | 'stages' | 'program'>): LoadedObject[] {
  const known = new Map<string, ObjectSpec>();
  return [first, ...stages].map(({ object: path, assembly, program }) => {
    const object = known.get(path) ?? readObjectOf(path, assembly);
    known.set(path, object);
    return { object, program: selectProgram(object, program).name };
  });
}

/** Throws `LoadError`, or the file system's error. */
export function readObjectOf(path: string, assembly: AssemblyObjectOptions | undefined): ObjectSpec {
  const bytes = readFileSync(path);
  return assembly === undefined ? readObject(bytes) : assembleObject(decodeUtf8(bytes), assembly);
}
