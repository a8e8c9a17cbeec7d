import { closeSync, fstatSync, openSync } from 'node:fs';
import type { MapDesk } from '../engine/map-desk.ts';
import { type ControlOptions, ReplayControl } from './control.ts';
import { Explained, type Explanation } from './explain.ts';
import { loadSubject } from './load.ts';
import { writeMapsFile } from './maps-file.ts';
import { pushFrom } from './push-from.ts';
import { openRecording } from './recording.ts';
import { Replay } from './replay.ts';
import { CaptureSeries } from './series.ts';
import type { Tally } from './tally.ts';
import type { ExplainRequest, ReplayRequest, ReplayResult } from './worker-protocol.ts';

export interface Progress {
  readonly packets: number;
  readonly bytesRead: number;
  readonly bytesTotal: number;
  /** What was decided so far. */
  readonly tally?: Tally;
  /** Bytes of linear memory that the instance holds: maps, packets, stacks. */
  readonly memory?: number;
}

/**
 * Replays a capture file through an object file, blocking. `onProgress` is called after each chunk of 1 MiB; what
 * `serve` gives, a few times a second between packets; it may end the replay, which then has no final contents of maps.
 * Throws `LoadError`, `OptionError`, `ProgramRefused`, or the file system's error; a bad capture is in the tally.
 */
export function runReplay(
  request: ReplayRequest,
  onProgress: (progress: Progress) => void = () => {},
  serve?: (desk: MapDesk) => ControlOptions['poll'],
): ReplayResult {
  const subject = loadSubject(request);
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
        return replay.tally;
      },
    });
  const answer = serve?.(subject.desk);
  const control = controlOf(
    request,
    subject.desk,
    answer === undefined
      ? undefined
      : (edit, index) => {
          const reason = answer(edit, index);
          report(index);
          return reason;
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
    if (replay.stopped !== 'cancelled') {
      control?.end(replay.frames);
      if (request.mapsFile !== undefined) writeMapsFile(request.mapsFile, subject.desk);
    }
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
  const subject = loadSubject(request);
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
