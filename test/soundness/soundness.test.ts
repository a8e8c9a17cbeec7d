import { describe, expect, it } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { constant, unsignedRange } from '../../src/verifier/values/scalar.ts';
import { askLinux, fuzzedProgram } from '../../tools/fuzz/verifier.ts';
import { type Fuzzed, objectOf } from '../../tools/fuzz/verifier-objects.ts';
import { kernelAvailable } from '../differential/oracle.ts';
import { type AbstractState, canRun, findBreach, stateKey } from './harness.ts';
import { holdVerifierTo } from './recorded.ts';

const SEED = 20_261_122;
const xdp = (text: string): Fuzzed => ({ type: 'xdp', bytes: assemble(text) });

/** Reads byte `offset` of the packet after a check for two. */
const checked = (offset: number) =>
  xdp(`
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 20
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + ${offset})
  out:
    r0 = 2
    exit`);

describe('the harness', () => {
  it('finds the access behind the check, and none before it', () => {
    const options = { seed: SEED, packets: 400 };
    expect(findBreach(objectOf(checked(19)), options)).toBeUndefined();
    expect(findBreach(objectOf(checked(20)), options)).toMatchObject({ kind: 'bad access', pc: 5 });
  });

  // A rule as a careless author would write it: `r0 & 7` is said to end at `most`.
  const masked = xdp('r0 = *(u32 *)(r1 + 4)\nr1 = *(u32 *)(r1 + 0)\nr0 -= r1\nr0 &= 7\nexit');
  const states = (most: bigint) => {
    const scalar = (max: bigint) => ({ kind: 'scalar', value: unsignedRange(0n, max) });
    const at: AbstractState[] = [[], [], [], [scalar(2n ** 64n - 1n)], [scalar(most)]];
    return new Map(at.map((state, pc) => [stateKey(0, pc), [state]]));
  };

  it('finds a number outside its bounds, and says nothing of one within', () => {
    const run = (most: bigint) => findBreach(objectOf(masked), { seed: SEED, packets: 100, states: states(most) });
    expect(run(7n)).toBeUndefined();
    expect(run(6n)).toMatchObject({ kind: 'outside every state', pc: 4 });
  });

  it('finds an instruction that was said to be dead', () => {
    const alive = new Map([[stateKey(0, 0), [[{ kind: 'scalar', value: constant(0) }].slice(1)]]]);
    const breach = findBreach(objectOf(masked), { seed: SEED, packets: 1, states: alive });
    expect(breach).toMatchObject({ kind: 'unreached instruction', pc: 1 });
  });

  it('finds that a judge who takes everything takes programs that go wrong', () => {
    const objects = Array.from({ length: 300 }, (_, index) => objectOf(fuzzedProgram(SEED, index))).filter(canRun);
    const breaches = objects.map((object, index) => findBreach(object, { seed: index, packets: 4 }));
    expect(breaches.filter((breach) => breach?.kind === 'bad access').length).toBeGreaterThan(10);
  });
});

describe('what a verifier takes makes no bad access', () => {
  const programs = Array.from({ length: 300 }, (_, index) => fuzzedProgram(SEED, index));
  const breaches = (takes: (index: number) => boolean) =>
    programs.flatMap((fuzzed, index) => {
      const breach = takes(index) ? findBreach(objectOf(fuzzed), { seed: index, packets: 8 }) : undefined;
      return breach === undefined ? [] : [{ index, ...breach }];
    });

  it.skipIf(kernelAvailable() !== true)('Linux, asked here', () => {
    const answers = askLinux(programs);
    expect(breaches((index) => answers[index]!.verdict === 'accept' && canRun(objectOf(programs[index]!)))).toEqual([]);
  });

  it('ours, and every number lies where it says', () => {
    const held = programs.map((fuzzed, index) => holdVerifierTo(objectOf(fuzzed), { seed: index, packets: 8 }));
    const wrong = held.flatMap(({ breach }, index) => (breach === undefined ? [] : [{ index, ...breach }]));
    expect(wrong).toEqual([]);
    expect(held.filter(({ outcome }) => outcome === 'held').length).toBeGreaterThan(programs.length / 3);
  });
});
