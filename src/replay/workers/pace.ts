/** Longest wait for a worker that does not come; the others then go on without it. */
const PATIENCE_MS = 10_000;
const OVER = 2 ** 31 - 1;

/**
 * Keeps workers that share maps near one another, as CPUs of one machine are: each begins a block of the capture when
 * all others have begun the one before it, and the first when all are there.
 */
export class Pace {
  readonly memory: SharedArrayBuffer;
  /** Blocks that each worker has begun, and whether it is there, which counts as one. */
  readonly #begun: Int32Array;
  readonly #own: number;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.memory = memory;
    this.#begun = new Int32Array(memory);
    this.#own = worker;
  }

  static of(workers: number): Pace {
    return new Pace(new SharedArrayBuffer(4 * workers), 0);
  }

  /** The worker is there, or comes to its next block. */
  step(): void {
    const begun = Atomics.load(this.#begun, this.#own) + 1;
    this.#tell(begun);
    for (let other = 0; other < this.#begun.length; other++) {
      for (let at = Atomics.load(this.#begun, other); at < begun - 1; at = Atomics.load(this.#begun, other)) {
        if (Atomics.wait(this.#begun, other, at, PATIENCE_MS) === 'timed-out') break;
      }
    }
  }

  /** Nobody waits for it any more. */
  end(): void {
    this.#tell(OVER);
  }

  #tell(begun: number): void {
    Atomics.store(this.#begun, this.#own, begun);
    Atomics.notify(this.#begun, this.#own);
  }
}
