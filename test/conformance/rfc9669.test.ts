import { describe, expect, it } from 'vitest';
import { readVectors, runVector } from './vectors.ts';

const vectors = readVectors();

describe.skipIf(vectors === undefined)('RFC 9669 vectors (skipped where ../shared/conformance is missing)', () => {
  it.each(vectors ?? [])('$name', (vector) => {
    expect(runVector(vector)).toBe(vector.r0);
  });
});
