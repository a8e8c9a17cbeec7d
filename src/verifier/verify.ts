import type { Catalogue } from '../abi/catalogue.ts';
import type { Refusal, Verdict } from '../abi/verdict.ts';
import type { Program } from '../program/program.ts';
import { calls } from './structure/calls.ts';
import { instructions, opcodes } from './structure/instructions.ts';
import { jumps } from './structure/jumps.ts';
import { nesting } from './structure/nesting.ts';
import { reachability } from './structure/reachability.ts';
import { references } from './structure/references.ts';
import { size } from './structure/size.ts';
import { type PathOptions, verifyPaths } from './verify-paths.ts';

export interface VerifyOptions extends PathOptions {
  /** False: only what can be decided without following values is, in no time. */
  readonly paths?: boolean;
}

/** A rule finds the first fault of its kind. */
export type Rule = (program: Program, catalogue: Catalogue) => Refusal | undefined;

/** In this order: each rule may rely on those before it. Linux finds faults in about the same order. */
const RULES: readonly Rule[] = [size, references, jumps, instructions, reachability, calls, nesting];

/** Where every path is followed, faults of single instructions count only where one leads, as in Linux. */
const RULES_BEFORE_PATHS: readonly Rule[] = [size, references, jumps, opcodes, reachability, nesting];

/** Decides whether the program may run. Pure: the same program and catalogue always give the same verdict. */
export function verify(program: Program, catalogue: Catalogue, options: VerifyOptions = {}): Verdict {
  const rules = options.paths !== false ? RULES_BEFORE_PATHS : RULES;
  for (const rule of rules) {
    const refusal = rule(program, catalogue);
    if (refusal !== undefined) return { accepted: false, refusal };
  }
  return options.paths !== false ? verifyPaths(program, catalogue, options) : { accepted: true };
}
