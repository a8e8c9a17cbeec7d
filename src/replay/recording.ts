import { FileSink, type RecordingLimit } from './file-sink.ts';
import { PacketOutput } from './output.ts';
import type { ReplaySinks } from './replay.ts';
import type { Subject } from './subject.ts';

/** Files in which a replay leaves what each packet did. `-` is standard output. */
export interface RecordingFiles {
  /** One JSON line a packet. */
  readonly packets?: string | undefined;
  /** pcapng of the packets as they left. */
  readonly write?: string | undefined;
  /** One JSON line a record that programs sent to user space, and one a line that they traced. */
  readonly events?: string | undefined;
  /** Of each of them. */
  readonly limit?: RecordingLimit | undefined;
}

export interface Recording {
  readonly sinks: ReplaySinks;
  close(): void;
}

/** Opens the files. Throws the file system's error. */
export function openRecording(files: RecordingFiles, instance: Subject): Recording {
  const packets = files.packets === undefined ? undefined : new FileSink(files.packets, files.limit);
  const written = files.write === undefined ? undefined : new FileSink(files.write, files.limit);
  const events = files.events === undefined ? undefined : new FileSink(files.events, files.limit);
  const output =
    written === undefined
      ? undefined
      : new PacketOutput((bytes) => written.write(bytes), `${instance.program.type} program ${instance.program.name}`);
  const sinks: ReplaySinks = {};
  if (packets !== undefined || output !== undefined) {
    sinks.recorder = { lines: packets, output };
  }
  if (output !== undefined) sinks.emitted = (frame, packet) => output.emitted(frame, packet);
  if (events !== undefined) {
    sinks.event = (packet, { map, cpu, bytes }) =>
      events.line(JSON.stringify({ packet, map, cpu, value: bytes.toHex() }));
    sinks.trace = (packet, text) => events.line(JSON.stringify({ packet, trace: text }));
  }
  return {
    sinks,
    close() {
      output?.end();
      for (const sink of [packets, written, events]) sink?.close();
    },
  };
}
