/**
 * Random programs that our verifier takes, run on the checking interpreter over random packets: no access goes wrong,
 * and every number lies within what the verifier said at that instruction.
 *
 *   node tools/soundness.ts --seed 1 --count 20000 --packets 16
 *   node tools/soundness.ts --seed 1 --only 4711
 *
 * Exit status: 0 nothing found, 1 the verifier was wrong.
 */
import { parseArgs } from 'node:util';
import { holdVerifierTo } from '../test/soundness/recorded.ts';
import { fuzzedProgram, listing } from './fuzz/verifier.ts';
import { objectOf } from './fuzz/verifier-objects.ts';

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      count: { type: 'string', default: '20000' },
      packets: { type: 'string', default: '16' },
      only: { type: 'string' },
    },
  });
  const seed = Number(values.seed);
  const first = Number(values.only ?? 0);
  const count = values.only === undefined ? Number(values.count) : 1;
  const tally = { refused: 0, held: 0, watched: 0, 'not run': 0 };
  let breaches = 0;
  for (let index = first; index < first + count; index++) {
    const fuzzed = fuzzedProgram(seed, index);
    const { outcome, breach } = holdVerifierTo(objectOf(fuzzed), { seed: index, packets: Number(values.packets) });
    tally[outcome]++;
    if (breach === undefined) continue;
    breaches++;
    console.log(`\n--seed ${seed} --only ${index}\n${listing(fuzzed)}`);
    console.log(`  ${breach.kind} at ${breach.pc}, packet ${breach.packet}: ${breach.message}`);
  }
  console.log(`seed ${seed}, ${count} programs, ${values.packets} packets each: ${breaches} breaches`);
  console.log(
    `held to all states ${tally.held}, accesses only ${tally.watched}, refused ${tally.refused}, not run ${tally['not run']}`,
  );
  return breaches === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main();
