import { type Readable, Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { parse } from 'pcap-parser';
import { CaptureError } from '../base/errors.ts';
import { type CaptureOptions, emptyFrame } from './frame.ts';
import { createPcapWriter } from './pcap-writer.ts';
import { type CaptureReader, createCaptureReader } from './reader.ts';
import { type CaptureSummary, SummaryBuilder } from './summary.ts';

/**
 * pcap-parser 0.2.1 trusts its input: it takes no nanosecond magic and no pcapng, believes any record length (and
 * then buffers without end, copying all anew for every chunk), any version, and says nothing of a cut end. The guard
 * stands in front of it. The project's own reader checks every header; packets of a classic capture go on to
 * pcap-parser as whole records in the one form it takes, those of pcapng straight into the summary.
 */
interface Guard {
  readonly stream: Transform;
  readonly reader: CaptureReader;
  /** The fault that ended the reading. What came before it has passed. */
  readonly fault: CaptureError | undefined;
}

function createGuard(summary: SummaryBuilder, options: CaptureOptions): Guard {
  let fault: CaptureError | undefined;
  let firstPiece = true;
  const writer = createPcapWriter((piece) => {
    if (firstPiece) piece.set(MICROSECOND_MAGIC);
    firstPiece = false;
    stream.push(piece);
  });
  const reader = createCaptureReader(
    (frame) => (reader.format === 'pcap' ? writer.write(frame) : summary.add(frame)),
    options,
  );
  /** Runs a step of the reading; a fault of the capture is kept, any other error is the stream's. */
  const step = (read: () => void, done: (error?: Error | null) => void) => {
    try {
      if (fault === undefined) read();
      done();
    } catch (error) {
      if (error instanceof CaptureError) fault = error;
      done(error instanceof CaptureError ? null : (error as Error));
    }
  };
  const stream = new Transform({
    transform: (chunk: Uint8Array, _, done) => step(() => reader.push(chunk), done),
    flush: (done) =>
      step(
        () => reader.end(),
        (error) => {
          writer.end();
          done(error);
        },
      ),
  });
  return {
    stream,
    reader,
    get fault() {
      return fault;
    },
  };
}

/**
 * The writer writes nanoseconds, and pcap-parser hands the fraction of the second on as it is, whatever the unit:
 * only the magic must be the one it knows.
 */
const MICROSECOND_MAGIC = Uint8Array.of(0xd4, 0xc3, 0xb2, 0xa1);

/**
 * Reads a capture to its end, or to its first fault, which the summary then names; the rest is read and ignored.
 * Rejects only when the source itself fails. Memory is bounded by the options, whatever the capture claims.
 */
export async function summarizeCapture(source: Readable, options: CaptureOptions = {}): Promise<CaptureSummary> {
  const summary = new SummaryBuilder();
  const guard = createGuard(summary, options);
  const frame = emptyFrame();
  const parser = parse(guard.stream);
  parser.on('packet', ({ header, data }) => {
    frame.index++;
    frame.bytes = data;
    frame.end = header.capturedLength;
    frame.originalLength = header.originalLength;
    frame.linkType = guard.reader.interfaces[0]!.linkType;
    frame.fcsLength = guard.reader.interfaces[0]!.fcsLength;
    frame.seconds = header.timestampSeconds;
    frame.nanoseconds = header.timestampMicroseconds;
    summary.add(frame);
  });
  parser.on('error', (error) => guard.stream.destroy(error));
  // The pipeline ends when all is written to the guard; pcap-parser has seen it all when the guard's other end ends.
  await Promise.all([pipeline(source, guard.stream), finished(guard.stream)]);
  return summary.finish(guard.reader, guard.fault);
}
