import type { Program } from '../program/program.ts';
import type { Facts } from './facts.ts';

/** Runs programs of one instance; the interpreter and the JIT stand behind it. */
export interface Runner {
  /** Runs an entry program with `context` in r1; gives r0. Throws `RunError`. */
  run(program: RunnableProgram, context: number): bigint;
  /** Instructions that the last run executed. */
  readonly executed: number;
  /** What it made of a program, for people to read; absent where it makes nothing. */
  text?(program: RunnableProgram): string;
  /** Runs the subprogram at `pc` of the program that is running now, for a helper that calls back. */
  call(pc: number, args: readonly bigint[]): bigint;
}

/** A program bound to the maps of an instance. */
export interface RunnableProgram {
  readonly program: Program;
  /** What the verifier proved; absent from what runs unverified. */
  readonly facts?: Facts | undefined;
  /** Address that stands for map `index` of the object, in registers. */
  mapHandle(index: number): number;
  /** Address of byte `offset` of the only value of map `index`. */
  mapValue(index: number, offset: number): number;
  /** What stands for the address of symbol `index` of the kernel: 0 where it is not there. */
  symbolAddress(index: number): number;
}

/** Why a run ended before the program's exit. It ends this packet's run, not the replay. */
export type RunErrorCode =
  | 'bad-access'
  | 'budget'
  | 'call-depth'
  | 'bad-instruction'
  | 'bad-argument'
  | 'helper-cannot-run'
  | 'unknown-helper'
  | 'pc-out-of-range'
  | 'division';

export class RunError extends Error {
  override readonly name = 'RunError';
  readonly code: RunErrorCode;
  /** pc at which it happened. */
  readonly pc: number;

  constructor(code: RunErrorCode, pc: number, message: string) {
    super(`at instruction ${pc}: ${message}`);
    this.code = code;
    this.pc = pc;
  }
}
