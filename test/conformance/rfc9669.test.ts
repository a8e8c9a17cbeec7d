import { describe, expect, it } from 'vitest';
import { ENGINES, readVectors, runVector } from './vectors.ts';

const vectors = readVectors();

describe.skipIf(vectors === undefined)('RFC 9669 vectors (skipped where ../shared/conformance is missing)', () => {
  describe.each(ENGINES)('%s', (engine) => {
    it.each(vectors ?? [])('$name', (vector) => {
      expect(runVector(vector, engine)).toBe(vector.r0);
    });
  });
});
