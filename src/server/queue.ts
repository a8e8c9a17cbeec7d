/** Work that waits its turn, by id. */
export interface Queue {
  add(id: string): void;
  /** Takes it out where it waits, ends it where it runs; resolves when it has ended. */
  cancel(id: string): Promise<void>;
  readonly waiting: number;
  readonly running: number;
  /** Starts nothing more, and ends with the reason `CLOSING` what still runs after so many milliseconds. */
  close(patience: number): Promise<void>;
}

/** Why the signal of work says that it is to end when nobody cancelled it. */
export const CLOSING = 'closing';

/** Does the work of one id. The signal tells it to end early. Must not reject. */
export type Work = (id: string, signal: AbortSignal) => Promise<void>;

/** A queue that lasts as long as the process: first in, first out, so many at once. */
export function memoryQueue(work: Work, atOnce: number): Queue {
  const waiting = new Set<string>();
  const running = new Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>();
  let closed = false;

  const startNext = () => {
    if (closed) return;
    for (const id of waiting) {
      if (running.size >= atOnce) return;
      waiting.delete(id);
      const abort = new AbortController();
      const ended = work(id, abort.signal).finally(() => {
        running.delete(id);
        startNext();
      });
      running.set(id, { abort, ended });
    }
  };
  const cancel = async (id: string) => {
    waiting.delete(id);
    const job = running.get(id);
    job?.abort.abort();
    await job?.ended;
  };
  return {
    add(id) {
      waiting.add(id);
      startNext();
    },
    cancel,
    get waiting() {
      return waiting.size;
    },
    get running() {
      return running.size;
    },
    async close(patience) {
      closed = true;
      const all = Promise.all([...running.values()].map(({ ended }) => ended));
      const timer = setTimeout(() => {
        for (const { abort } of running.values()) abort.abort(CLOSING);
      }, patience);
      await all.finally(() => clearTimeout(timer));
    },
  };
}
