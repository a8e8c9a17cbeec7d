// `npm run conformance`: the RFC 9669 vectors on each engine, one line per failure and a closing count.
import { ENGINES, readVectors, runVector } from '../test/conformance/vectors.ts';

const vectors = readVectors();
if (vectors === undefined) {
  console.log('The vectors (../shared/conformance/rfc9669-vectors.json) are not on this machine: nothing was run.');
  process.exit(2);
}
for (const engine of ENGINES) {
  let failed = 0;
  for (const vector of vectors) {
    let answer: string;
    try {
      answer = runVector(vector, engine);
    } catch (error) {
      answer = String(error);
    }
    if (answer === vector.r0) continue;
    failed++;
    console.log(`${engine}: ${vector.name}: expected ${vector.r0}, got ${answer}`);
  }
  console.log(`${engine}: ${vectors.length - failed} passed, ${failed} failed, 0 skipped`);
  if (failed > 0) process.exitCode = 1;
}
