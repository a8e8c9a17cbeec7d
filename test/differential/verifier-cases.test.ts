import { describe, expect, it } from 'vitest';
import { mapTypeName } from '../../src/abi/map-types.ts';
import { CASE_MAPS, type Case, caseProgram } from '../../src/verifier/cases.ts';
import { contextCases } from '../../src/verifier/regions/context.cases.ts';
import { memoryCases } from '../../src/verifier/regions/memory.cases.ts';
import { stackCases } from '../../src/verifier/regions/stack.cases.ts';
import { aluCases } from '../../src/verifier/step/alu.cases.ts';
import { branchCases } from '../../src/verifier/step/branch.cases.ts';
import { callsCases } from '../../src/verifier/step/calls.cases.ts';
import { kfuncCases } from '../../src/verifier/step/kfuncs.cases.ts';
import { walkCases } from '../../src/verifier/walk/walk.cases.ts';
import { forKernel } from './kernel-btf.ts';
import { askRaw, kernelAvailable } from './oracle.ts';

/** Programs whose functions BTF must know cannot be asked as raw instructions. */
const askable = (cases: readonly Case[]) => cases.filter(([, type]) => !type.endsWith('+btf'));
const cases = [aluCases, branchCases, callsCases, contextCases, kfuncCases, memoryCases, stackCases, walkCases].flatMap(
  askable,
);
const maps = CASE_MAPS.map(({ type, keySize, valueSize, maxEntries }) => ({
  type: mapTypeName(type),
  keySize,
  valueSize,
  maxEntries,
}));
/** A program array belongs to the first type that uses it: each type gets its own. */
const types = [...new Set(cases.map(([, type]) => type))];
const kernel = kernelAvailable();

describe.skipIf(kernel !== true)(
  `what the cases say Linux says, Linux says${kernel === true ? '' : ` (${kernel})`}`,
  () => {
    it.each(types)('%s', (wanted) => {
      const chosen = cases.filter(([, type]) => type === wanted);
      const answers = askRaw(
        chosen.map(([, type, text]) => ({ type, instructions: forKernel(caseProgram(type, text)) })),
        maps,
      );
      const differing = chosen.filter(
        ([, , , verdict], i) => (verdict === 'accept') !== (answers[i]!.verdict === 'accept'),
      );
      expect(differing.map(([name]) => name)).toEqual([]);
    });
  },
);
