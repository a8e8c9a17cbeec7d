import type { Readable } from 'node:stream';

/**
 * Hands on what a source gives, one piece after the other: the source is paused meanwhile, so that it waits for whoever
 * takes. Resolves at the source's end, when `take` wants no more, or at the signal; with the error when the source
 * broke. The source is left open.
 */
export function pump(
  source: Readable,
  take: (piece: Uint8Array) => Promise<boolean>,
  signal: AbortSignal,
): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const finish = (error?: Error) => {
      source.off('data', onData).off('end', onEnd).off('error', finish).off('close', onClose);
      signal.removeEventListener('abort', onEnd);
      source.pause();
      resolve(error);
    };
    const onEnd = () => finish();
    const onClose = () => finish(new Error('the connection was closed'));
    const onData = (piece: Uint8Array) => {
      source.pause();
      void take(piece).then((more) => {
        if (!more) finish();
        else if (!signal.aborted) source.resume();
      });
    };
    // What breaks after its reader has gone is nobody's concern.
    source.on('error', () => {});
    if (signal.aborted || source.readableEnded) return resolve(undefined);
    if (source.destroyed) return resolve(source.errored ?? undefined);
    signal.addEventListener('abort', onEnd);
    source.on('data', onData).once('end', onEnd).once('error', finish).once('close', onClose);
    source.resume();
  });
}
