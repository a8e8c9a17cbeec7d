import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { decode } from '../../src/isa/codec.ts';
import { askOurs, disagreement, elsewhere, fuzzedProgram, outcomes } from '../../tools/fuzz/verifier.ts';
import { minimise } from '../../tools/fuzz/verifier-code.ts';
import { kernelAvailable } from '../differential/oracle.ts';

const SEED = 20_261_122;
const COUNT = 600;

describe('random programs', () => {
  it('are the same for the same seed, and others for another', () => {
    expect(fuzzedProgram(SEED, 7)).toEqual(fuzzedProgram(SEED, 7));
    expect(fuzzedProgram(SEED, 7)).not.toEqual(fuzzedProgram(SEED + 1, 7));
  });

  it('may not read a part of a pointer that a round of may_goto put where a number was', () => {
    expect(askOurs(fuzzedProgram(2611, 14_461)).accepted).toBe(false);
  });

  it('always get a verdict', () => {
    for (let index = 0; index < COUNT; index++) {
      expect(() => askOurs(fuzzedProgram(SEED, index)), `--seed ${SEED} --only ${index}`).not.toThrow();
    }
  });

  it.skipIf(kernelAvailable() !== true)('are taken by Linux about half of the time, and by us the same ones', () => {
    const all = [...outcomes(SEED, 0, COUNT)];
    const taken = all.filter(({ linux }) => linux.verdict === 'accept').length;
    expect(taken / COUNT).toBeGreaterThan(0.4);
    expect(taken / COUNT).toBeLessThan(0.65);
    const disagreements = all.filter(disagreement).map(({ index }) => `--seed ${SEED} --only ${index}`);
    expect(disagreements).toEqual([]);
    expect(all.filter(elsewhere).length).toBeLessThan(COUNT / 100);
  });
});

describe('a disagreement made short', () => {
  it('keeps what it is about, and its jumps', () => {
    const long = assemble(`
      r6 = r1
      r2 = 5
      r3 = 0x1234567890 ll
      if r2 > 3 goto far
      r7 = 1
      r8 = 2
    far:
      r0 = *(u32 *)(r6 + 999)
      exit`);
    const about = (bytes: Uint8Array) => {
      const decoded = decode(bytes);
      const jump = decoded.findIndex((instruction) => instruction?.kind === 'jump');
      const load = decoded.findIndex((instruction) => instruction?.kind === 'load' && instruction.offset === 999);
      const found = decoded[jump];
      return load >= 0 && found?.kind === 'jump' && found.target === load;
    };
    const short = minimise(long, about);
    expect(decode(short).map((instruction) => instruction?.kind)).toEqual(['jump', 'load']);
  });
});
