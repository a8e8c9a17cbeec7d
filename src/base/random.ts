/** A seeded source of random numbers: the same seed gives the same sequence, on every machine. */
export interface Random {
  /** 0 … 2^32 − 1. */
  u32(): number;
  /** 0 … bound − 1; bound is at least 1 and at most 2^32. */
  below(bound: number): number;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32 so that near seeds give far sequences. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const mix = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let counter = 1;
  const u32 = () => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + sum) >>> 0;
    return sum;
  };
  for (let i = 0; i < 12; i++) u32();
  return { u32, below: (bound) => Math.floor((u32() / 0x1_0000_0000) * bound) };
}
