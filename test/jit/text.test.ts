/** The code that is made of a few programs, kept so that a change of the translator is read as a diff of its output. */
import { describe, expect, it } from 'vitest';
import { instanceOf, mapSpecOf } from '../../src/engine/testing.ts';

const PROGRAMS: Record<string, string> = {
  'loop-over-bytes': `
    r2 = *(u32 *)(r1 + 0)
    r3 = *(u32 *)(r1 + 4)
    r4 = r2
    r4 += 16
    r0 = 1
    if r4 > r3 goto end
    r0 = 0
    r5 = 0
    again: r1 = *(u8 *)(r2 + 0)
    r0 += r1
    r0 <<= 32
    r0 >>= 32
    r2 += 1
    r5 += 1
    if r5 < 16 goto again
    end: exit`,
  'count-by-key': `
    *(u32 *)(r10 - 4) = 3
    r2 = r10
    r2 += -4
    r1 = map[counters] ll
    call bpf_map_lookup_elem
    if r0 == 0 goto end
    r1 = 1
    lock *(u64 *)(r0 + 0) += r1
    end: r0 = 2
    exit`,
  'two-functions': `
    r1 = 20
    call double
    r0 += 2
    exit
    double: *(u64 *)(r10 - 8) = r1
    r0 = *(u64 *)(r10 - 8)
    r0 s/= -1
    w0 *= 2
    r0 = be32 r0
    exit`,
};

describe('generated code', () => {
  it.each(Object.entries(PROGRAMS))('%s', async (name, text) => {
    const maps = [mapSpecOf({ name: 'counters', type: 2 })];
    const instance = instanceOf(text, { engine: 'jit', maps });
    await expect(`${instance.generatedText}\n`).toMatchFileSnapshot(`golden/${name}.txt`);
  });
});
