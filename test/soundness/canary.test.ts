/** The verifier with a rule made wrong on purpose: programs that it then takes must be caught going wrong. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { assemble } from '../../src/isa/assemble.ts';
import { constant } from '../../src/verifier/values/scalar.ts';
import { fuzzedProgram } from '../../tools/fuzz/verifier.ts';
import { type Fuzzed, MAPS, objectOf } from '../../tools/fuzz/verifier-objects.ts';
import type { Breach } from './harness.ts';

const SEED = 20_261_122;
const ARITHMETIC = '../../src/verifier/values/arithmetic.ts';
const PACKET_RANGE = '../../src/verifier/step/packet-range.ts';

const ACCESSES = '../../src/verifier/facts/accesses.ts';
const COMPARE = '../../src/verifier/state/compare.ts';
const LENGTHS = '../../src/verifier/facts/lengths.ts';
const ROUNDS = '../../src/verifier/facts/rounds.ts';

type Accesses = typeof import('../../src/verifier/facts/accesses.ts');
type Compare = typeof import('../../src/verifier/state/compare.ts');
type Lengths = typeof import('../../src/verifier/facts/lengths.ts');
type Rounds = typeof import('../../src/verifier/facts/rounds.ts');
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

/** The path that begins at 5 is walked first; the one that begins at 0, which every packet takes, is cut off there. */
const LOOP_CUT_OFF: Fuzzed = {
  type: 'xdp',
  bytes: assemble(`
    r6 = *(u32 *)(r1 + 12)
    r7 = 0
    if r6 < 5 goto loop
    r7 = 90
  loop:
    r0 = 2
    r7 += 1
    if r7 < 100 goto loop
    exit`),
};

/** The path that every packet takes, here too, is walked second, and writes to other bytes than the first. */
const TWO_PATHS: Fuzzed = {
  type: 'xdp',
  bytes: assemble(`
    r2 = *(u32 *)(r1 + 12)
    r3 = r10
    r3 += -8
    if r2 < 5 goto low
    r3 += 4
  low:
    *(u32 *)(r3 + 0) = 1
    r0 = 2
    exit`),
};
const LOOKUP: Fuzzed = {
  type: 'xdp',
  bytes: assemble(`
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[${MAPS.array}] ll
    call 1
    r0 = 2
    exit`),
};

/** The path that every packet takes, walked second, meets the first where that has written what is then read. */
const WROTE_LESS: Fuzzed = {
  type: 'xdp',
  bytes: assemble(`
    r6 = r1
    r1 = *(u32 *)(r6 + 12)
    if r1 < 5 goto far
    *(u8 *)(r10 - 2) = r1
    goto meet
  far:
    r2 = 0
  meet:
    r0 = *(u32 *)(r6 + 0)
    r0 = *(u32 *)(r6 + 0)
    r0 = *(u32 *)(r6 + 0)
    if r0 == 1 goto next
    r0 = 1
  next:
    r0 = *(u8 *)(r10 - 2)
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
    vi.doUnmock(ACCESSES);
    vi.doUnmock(COMPARE);
    vi.doUnmock(LENGTHS);
    vi.doUnmock(ROUNDS);
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

  it('in facts: only the first path says what an instruction touches', async () => {
    vi.doMock(ACCESSES, async (original) => {
      const right = await original<Accesses>();
      class FirstPath extends right.Accesses {
        override note(...[pc, ...rest]: Parameters<Accesses['Accesses']['prototype']['note']>) {
          if (this.kindAt(pc) === undefined) super.note(pc, ...rest);
        }
      }
      return { ...right, Accesses: FirstPath };
    });
    expect(await breaches([TWO_PATHS], 1)).toEqual(['outside the facts']);
  });

  it('in facts: a call reads one byte of what it is given', async () => {
    vi.doMock(ACCESSES, async (original) => {
      const right = await original<Accesses>();
      class FirstByte extends right.Accesses {
        override noteArgument(
          ...[pc, frame, access, writes]: Parameters<Accesses['Accesses']['prototype']['noteArgument']>
        ) {
          super.noteArgument(pc, frame, { ...access, size: 1 }, writes);
        }
      }
      return { ...right, Accesses: FirstByte };
    });
    expect(await breaches([LOOKUP], 1)).toEqual(['outside the facts']);
  });

  it('in facts: a path that is cut off comes through no more loops', async () => {
    vi.doMock(ROUNDS, async (original) => {
      const right = await original<Rounds>();
      const roundsOf: Rounds['roundsOf'] = (program) => {
        const rounds = right.roundsOf(program);
        if (rounds !== null) rounds.join = (state) => rounds.end(state);
        return rounds;
      };
      return { ...right, roundsOf };
    });
    expect(await breaches([LOOP_CUT_OFF], 1)).toEqual(['outside the facts']);
  });

  it('in facts: a path that is cut off takes no more steps', async () => {
    vi.doMock(LENGTHS, async (original) => {
      const right = await original<Lengths>();
      class CutShort extends right.Lengths {
        override join(state: Parameters<Lengths['Lengths']['prototype']['join']>[0]) {
          this.end(state);
        }
      }
      return { ...right, Lengths: CutShort };
    });
    expect(await breaches([LOOP_CUT_OFF], 1)).toEqual(['outside the facts']);
  });

  it('in facts: a path that is cut off is taken to have written as much', async () => {
    vi.doMock(COMPARE, async (original) => {
      const right = await original<Compare>();
      return { ...right, wroteLess: () => false };
    });
    expect(await breaches([WROTE_LESS], 1)).toEqual(['outside the facts']);
  });
});
