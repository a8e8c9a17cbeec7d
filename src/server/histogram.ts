/** How often a duration fell below each bound, as Prometheus counts: each bucket holds those below it too. */
export interface Durations {
  /** Of all of them, in seconds. */
  readonly sum: number;
  readonly count: number;
  readonly buckets: { readonly le: number; readonly count: number }[];
}

export interface Histogram {
  observe(seconds: number): void;
  read(): Durations;
}

/** `bounds` in seconds, ascending. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Float64Array(bounds.length);
  let sum = 0;
  let count = 0;
  return {
    observe(seconds) {
      sum += seconds;
      count++;
      const bucket = bounds.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) counts[bucket]!++;
    },
    read() {
      let below = 0;
      return {
        sum,
        count,
        buckets: bounds.map((le, i) => {
          below += counts[i]!;
          return { le, count: below };
        }),
      };
    },
  };
}
