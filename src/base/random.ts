/** A seeded source of random numbers: the same seed gives the same sequence, on every machine. */
export interface Random {
  /** 0 … 2^32 − 1. */
  u32(): number;
  /** 0 … bound − 1; bound is at least 1 and at most 2^32. */
  below(bound: number): number;
}

/**
 * sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32 so that near seeds give far sequences. `words`: where
 * its state is kept.
 */
export function seededRandom(seed: number, words: Uint32Array = new Uint32Array(4)): Random {
  let state = seed >>> 0;
  const mix = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  words.set([mix(), mix(), mix(), 1]);
  const u32 = () => {
    const [a, b, c, counter] = words as unknown as readonly [number, number, number, number];
    const sum = (a + b + counter) >>> 0;
    words[0] = b ^ (b >>> 9);
    words[1] = c + (c << 3);
    words[2] = ((c << 21) | (c >>> 11)) + sum;
    words[3] = counter + 1;
    return sum;
  };
  for (let i = 0; i < 12; i++) u32();
  return { u32, below: (bound) => Math.floor((u32() / 0x1_0000_0000) * bound) };
}
