import type { Catalogue } from '../abi/catalogue.ts';
import type { Refusal, Verdict } from '../abi/verdict.ts';
import type { Program } from '../program/program.ts';
import { opcodes } from './structure/instructions.ts';
import { jumps } from './structure/jumps.ts';
import { nesting } from './structure/nesting.ts';
import { reachability } from './structure/reachability.ts';
import { references } from './structure/references.ts';
import { size } from './structure/size.ts';
import { type VerifyOptions, verifyPaths } from './verify-paths.ts';

/** A rule finds the first fault of its kind. */
export type Rule = (program: Program, catalogue: Catalogue) => Refusal | undefined;

/**
 * What is decided before any path is followed, in this order: each rule may rely on those before it. Faults of single
 * instructions count only where a path leads, as in Linux.
 */
const RULES: readonly Rule[] = [size, references, jumps, opcodes, reachability, nesting];

/** Decides whether the program may run. Pure: the same program and catalogue always give the same verdict. */
export function verify(program: Program, catalogue: Catalogue, options: VerifyOptions = {}): Verdict {
  for (const rule of RULES) {
    const refusal = rule(program, catalogue);
    if (refusal !== undefined) return { accepted: false, refusal };
  }
  return verifyPaths(program, catalogue, options);
}
