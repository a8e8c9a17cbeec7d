/** The verifier with a rule made wrong on purpose: programs that it then takes must be caught going wrong. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { constant } from '../../src/verifier/values/scalar.ts';
import { fuzzedProgram } from '../../tools/fuzz/verifier.ts';
import { type Fuzzed, objectOf } from '../../tools/fuzz/verifier-objects.ts';
import type { Breach } from './harness.ts';

const SEED = 20_261_122;
const ARITHMETIC = '../../src/verifier/values/arithmetic.ts';
const PACKET_RANGE = '../../src/verifier/step/packet-range.ts';

type Arithmetic = typeof import('../../src/verifier/values/arithmetic.ts');
type PacketRange = typeof import('../../src/verifier/step/packet-range.ts');

const RANDOM = Array.from({ length: 200 }, (_, index) => fuzzedProgram(SEED, index));
const ONE_BYTE_TOO_FAR: Fuzzed = {
  type: 'xdp',
  bytes: assemble(`
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 20
    if r4 > r3 goto out
    r5 = *(u8 *)(r2 + 20)
  out:
    r0 = 2
    exit`),
};

/** What programs do that the verifier takes as it is now. */
async function breaches(programs: readonly Fuzzed[], packets: number): Promise<Breach['kind'][]> {
  vi.resetModules();
  const { holdVerifierTo } = await import('./recorded.ts');
  return programs
    .map((fuzzed, index) => holdVerifierTo(objectOf(fuzzed), { seed: SEED + index, packets }))
    .flatMap(({ breach }) => (breach === undefined ? [] : [breach.kind]));
}

describe('an unsound rule is caught', () => {
  afterEach(() => {
    vi.doUnmock(ARITHMETIC);
    vi.doUnmock(PACKET_RANGE);
  });

  it('in arithmetic: what was masked is taken for half of what it is', async () => {
    vi.doMock(ARITHMETIC, async (original) => {
      const right = await original<Arithmetic>();
      const alu: Arithmetic['alu'] = (op, width, a, b) => {
        const result = right.alu(op, width, a, b);
        return op === 'and' ? right.alu('rsh', width, result, constant(1)) : result;
      };
      return { ...right, alu };
    });
    expect(await breaches(RANDOM, 8)).toContain('outside every state');
  });

  it('in packet access: a pointer that is not beyond the end is taken to be before it', async () => {
    vi.doMock(PACKET_RANGE, async (original) => {
      const right = await original<PacketRange>();
      const learnPacketRange: PacketRange['learnPacketRange'] = (op, ...rest) =>
        right.learnPacketRange(op === 'gt' ? 'ge' : op, ...rest);
      return { ...right, learnPacketRange };
    });
    expect(await breaches([ONE_BYTE_TOO_FAR], 400)).toContain('bad access');
  });
});
