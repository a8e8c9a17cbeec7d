import type { Catalogue } from '../../abi/catalogue.ts';
import type { Machine } from '../../abi/machine.ts';
import type { RunnableProgram } from '../../abi/runner.ts';
import type { Stack } from '../call/stack.ts';
import type { LinearMemory } from '../memory/memory.ts';

export interface JitOptions {
  readonly memory: LinearMemory;
  readonly machine: Machine;
  readonly helpers: Catalogue['helpers'];
  readonly kfuncs: Catalogue['kfuncs'];
  /** Every program that can run: the entry and those that tail calls reach, by the index that PROG_ARRAY slots hold. */
  readonly programs: readonly (RunnableProgram | undefined)[];
  readonly stack: Stack;
  /** Address of CONTROL_BYTES bytes, the last that are allotted. */
  readonly control: number;
  /** Instructions that one run may execute. */
  readonly budget: number;
  /** Checks each access against the regions; without it, only that it lies within what is mapped. */
  readonly sanitize: boolean;
}

/** Whether a helper runs functions of the program, so that frame and fuel change hands. */
export function callsBack(helpers: JitOptions['helpers'], id: number): boolean {
  return helpers.get(id)?.prototype.args.includes('callback') ?? false;
}
