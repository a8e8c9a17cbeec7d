import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  agreement,
  type Comparison,
  compare,
  counts,
  type Figures,
  figures,
  nameOf,
} from '../../tools/peer-suite/compare.ts';
import { peerObjects } from '../../tools/peer-suite/groups.ts';
import { recordedVerdicts } from '../../tools/peer-suite/linux.ts';

const at = (file: string) => join(import.meta.dirname, file);
const read = <T>(file: string): T => JSON.parse(readFileSync(at(file), 'utf8')) as T;

/** What the figures were when they were last written; they may only become better. `UPDATE_PEER=1` writes them anew. */
const baseline = read<Figures>('baseline.json');
/** Programs (`file/program`) whose verdict is known to differ from Linux's, and why. */
const known = read<Record<string, string>>('disagreements.json');

const objects = peerObjects();
const built = objects.some(({ group }) => group === 'selftests');
const why = built ? '' : ' (skipped: `node tools/peer-suite.ts` builds the objects)';

describe.skipIf(!built)(`the verdicts of Linux over its own selftests${why}`, () => {
  const comparisons: Comparison[] = compare(recordedVerdicts() ?? [], objects);
  const small = comparisons.filter(counts);
  const now = figures(small);

  it('is compared in full', () => {
    expect(now.programs).toBeGreaterThanOrEqual(baseline.programs);
    expect(small.filter(({ ours }) => ours.instructions === null).map(({ linux }) => nameOf(linux))).toEqual([]);
  });

  it('agrees at least as often as it did', () => {
    if (process.env.UPDATE_PEER !== undefined) writeFileSync(at('baseline.json'), `${JSON.stringify(now, null, 2)}\n`);
    expect(now.crashes, 'crashes').toBe(0);
    expect(now.falseAccepts, 'false accepts').toBeLessThanOrEqual(baseline.falseAccepts);
    expect(now.falseRefusals, 'false refusals').toBeLessThanOrEqual(baseline.falseRefusals);
    expect(now.samePc, 'refusals at the same instruction').toBeGreaterThanOrEqual(baseline.samePc);
  });

  it('lists every disagreement of the networking types, with its reason', () => {
    const unlisted = small.filter((one) => {
      const verdict = agreement(one);
      return (verdict === 'false accept' || verdict === 'false refusal') && known[nameOf(one.linux)] === undefined;
    });
    expect(unlisted.map(({ linux }) => nameOf(linux))).toEqual([]);
  });

  it('lists no disagreement that is none', () => {
    const names = new Set(comparisons.filter((one) => agreement(one) !== 'agrees').map(({ linux }) => nameOf(linux)));
    expect(Object.keys(known).filter((name) => !names.has(name))).toEqual([]);
  });
});
