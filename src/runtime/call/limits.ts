import { RunError } from '../../abi/runner.ts';
import type { Program } from '../../program/program.ts';

/** Limits of Linux: frames of bpf-to-bpf calls, bytes of stack a frame, tail calls in a run. */
export const MAX_FRAMES = 8;
export const STACK_BYTES = 512;
export const MAX_TAIL_CALLS = 33;
/** Rounds that all `may_goto` of a run may take together (BPF_MAX_LOOPS of Linux: 8 Mi). */
export const MAY_GOTO_LIMIT = 8 * 1024 * 1024;

/** What ends a run on every runner, in the same words. */
export const ENDINGS = {
  budget: (pc: number, budget: number) =>
    new RunError('budget', pc, `the run took ${budget} instructions and was ended; raise the limit with --budget`),
  callDepth: (pc: number, frames: number) => new RunError('call-depth', pc, `calls nest deeper than ${frames} frames`),
  outOfRange: (pc: number) => new RunError('pc-out-of-range', pc, 'the program left its instructions'),
  withinImmediate: (pc: number) =>
    new RunError('pc-out-of-range', pc, 'a jump leads into the middle of a 64-bit immediate'),
  noHelper: (pc: number, id: bigint | number) => new RunError('unknown-helper', pc, `there is no helper ${id}`),
  noKernelFunction: (pc: number, { kernelSymbols }: Program, index: number) =>
    new RunError('unknown-helper', pc, `there is no kernel function ${kernelSymbols[index]?.name ?? index}`),
  cannotRun: (pc: number, name: string) =>
    new RunError('helper-cannot-run', pc, `bpf_${name} is known to the verifier but cannot run here yet`),
  noProgramArray: (pc: number) => new RunError('bad-argument', pc, 'argument 2 of bpf_tail_call is no PROG_ARRAY map'),
};
