import { readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { Command, CommanderError } from 'commander';
import { CaptureError, LoadError, OptionError, ProgramRefused } from '../index.ts';
import { addDisasm } from './disasm.ts';
import { EXIT } from './exit.ts';
import { addInspect } from './inspect.ts';
import { say } from './output.ts';
import { addRun } from './run.ts';
import { addServe } from './serve.ts';
import { addVerify } from './verify.ts';

const { version, description } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/** Does what the arguments of the process say; `threads` were started for those of a replay. */
export async function main(threads: readonly Worker[]): Promise<void> {
  const program = new Command('bpfreplay').description(description).version(version).exitOverride();
  program.configureHelp({ showGlobalOptions: true });
  addRun(program, threads);
  for (const add of [addInspect, addDisasm, addVerify, addServe]) add(program);
  for (const command of program.commands) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Says what went wrong in one line, and gives the exit code. What is our own bug keeps its stack. */
function report(error: unknown): number {
  // Commander has said it already; asking for help is no mistake.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof ProgramRefused) {
    say(error.message);
    return EXIT.refused;
  }
  const known = error instanceof LoadError || error instanceof CaptureError || error instanceof OptionError;
  const system = error instanceof Error && 'syscall' in error;
  say(known || system ? `bpfreplay: ${error.message}` : String(error instanceof Error ? error.stack : error));
  return EXIT.usage;
}
