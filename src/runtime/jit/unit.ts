import type { RunnableProgram } from '../../abi/runner.ts';
import { OptionError } from '../../base/errors.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { kfuncCallee } from '../call/callee.ts';
import { MAX_FRAMES } from '../call/limits.ts';
import { callsBack, type JitOptions } from './environment.ts';
import { functionFrom, type JitFunction, Leaders } from './functions.ts';

/**
 * What becomes one module: the function that begins at `root`, and those it calls. A `plain` unit is entered in the
 * program's own frame, so that the frames of its functions lie at known addresses.
 */
export interface Unit {
  readonly program: RunnableProgram;
  readonly root: number;
  readonly plain: boolean;
  readonly leaders: Leaders;
  readonly functions: readonly JitFunction[];
  /** Index in `functions` by entry. */
  readonly indices: ReadonlyMap<number, number>;
  /** By index: frames below, where every call of the function finds as many; else undefined. */
  readonly depths: readonly (number | undefined)[];
}

/** So much is translated in seconds at most. Linux takes programs of a million instructions; real ones have thousands. */
const MOST_INSTRUCTIONS = 250_000;
const MOST_FUNCTIONS = 5000;

export const tooLarge = (name: string, what: string): OptionError =>
  new OptionError(
    'program-too-large',
    `${name} is too large to be translated (${what}); it runs with --engine interpreter`,
  );

export function unitOf(options: JitOptions, program: RunnableProgram, root: number, plain: boolean): Unit {
  const { instructions } = program.program;
  const callees = {
    callsBack: (id: number) => callsBack(options.helpers, id),
    hasKfunc: (index: number) => kfuncCallee(options, program.program, index) !== undefined,
  };
  const leaders = new Leaders(instructions, callees, root);
  const functions: JitFunction[] = [];
  const entries = [root];
  const indices = new Map([[root, 0]]);
  let length = 0;
  for (const entry of entries) {
    const made = functionFrom(instructions, leaders, entry);
    functions.push(made);
    // Functions of unverified programs may run into each other: what they share counts for each.
    for (const count of made.counts) length += count;
    if (length > MOST_INSTRUCTIONS || functions.length > MOST_FUNCTIONS) {
      throw tooLarge(
        program.program.name,
        `more than ${MOST_INSTRUCTIONS} instructions or ${MOST_FUNCTIONS} functions`,
      );
    }
    for (const { target } of made.calls) if (!indices.has(target)) indices.set(target, entries.push(target) - 1);
  }
  const writes = () => instructions.some((instruction) => instruction !== undefined && writesFrame(instruction));
  const isPlain = plain && (program.facts !== undefined || !writes());
  return { program, root, plain: isPlain, leaders, functions, indices, depths: depthsOf(functions, indices, isPlain) };
}

/** Whether it writes r10, which no verified program does. */
function writesFrame(instruction: Instruction): boolean {
  if (instruction.kind === 'atomic') {
    return (instruction.fetch && instruction.src === 10) || (instruction.op === 'load_acq' && instruction.dst === 10);
  }
  return instruction.kind !== 'store' && instruction.kind !== 'jump' && 'dst' in instruction && instruction.dst === 10;
}

function depthsOf(
  functions: readonly JitFunction[],
  indices: ReadonlyMap<number, number>,
  plain: boolean,
): (number | undefined)[] {
  const depths: (number | undefined)[] = functions.map(() => undefined);
  if (!plain) return depths;
  const several = new Set<number>();
  const work: [index: number, depth: number][] = [[0, 0]];
  while (work.length > 0) {
    const [index, depth] = work.pop()!;
    if (several.has(index) || depths[index] === depth) continue;
    // Beyond the last frame nothing runs; whoever is there is called from several depths, or not at all.
    if (depths[index] !== undefined || depth >= MAX_FRAMES) {
      several.add(index);
      for (const { target } of functions[index]!.calls) work.push([indices.get(target)!, MAX_FRAMES]);
      continue;
    }
    depths[index] = depth;
    for (const { target } of functions[index]!.calls) work.push([indices.get(target)!, depth + 1]);
  }
  return depths.map((depth, index) => (several.has(index) ? undefined : depth));
}
