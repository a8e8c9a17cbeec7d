import type { Worker } from 'node:worker_threads';
import { type PackedError, unpackError } from '../failure.ts';
import { startThread } from '../threads/threads.ts';
import type { FlowsRequest } from './flows.ts';
import type { PartRequest } from './part.ts';

export type WorkerRequest = ({ readonly by: 'records' } & PartRequest) | ({ readonly by: 'flow' } & FlowsRequest);

/** What a worker posts. */
export type WorkerAnswer<T> = { readonly part: T } | { readonly error: PackedError };

/** The threads that take part in a replay beside the one that leads it. */
export class Crew {
  readonly #threads: readonly Worker[];

  /** Of `ready` first, which were started before. */
  constructor(size: number, ready: readonly Worker[] = []) {
    this.#threads = Array.from({ length: size }, (_, index) => ready[index] ?? startThread());
  }

  get size(): number {
    return this.#threads.length;
  }

  /** What the thread makes of it; rejects with what it failed with. */
  send<T>(index: number, request: WorkerRequest): Promise<T> {
    const thread = this.#threads[index]!;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    thread.on('message', (answer: WorkerAnswer<T>) => {
      if ('part' in answer) resolve(answer.part);
      else reject(unpackError(answer.error));
    });
    thread.on('error', reject);
    thread.on('exit', () => reject(new Error('a replay worker ended early')));
    thread.ref();
    thread.postMessage(request);
    // Where it is not waited for, its end is no error.
    promise.catch(() => {});
    return promise;
  }

  /** Ends all of them, whatever they do. */
  async dismiss(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}
