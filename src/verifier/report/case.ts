import type { Catalogue } from '../../abi/catalogue.ts';
import type { Refusal } from '../../abi/verdict.ts';
import type { Program } from '../../program/program.ts';
import type { Register } from '../state/register.ts';
import type { Trail } from '../state/trail.ts';
import type { Loss } from './slice.ts';

/** All that a sentence about a refusal can be made of. */
export interface Case {
  readonly program: Program;
  readonly catalogue: Catalogue;
  readonly refusal: Refusal;
  readonly loss: Loss | null;
  /** The state at which the program is refused; null where no path led there. */
  readonly end: Trail | null;
}

export interface Sentences {
  readonly reason?: string | undefined;
  readonly help?: string | undefined;
}

export interface AccessAt {
  readonly base: Register;
  readonly offset: number;
  readonly size: number;
  readonly verb: 'reads' | 'writes';
}

/** The load or store that is refused. */
export function accessOf({ program, refusal, end }: Case): AccessAt | null {
  const instruction = program.instructions[refusal.pc ?? -1];
  if (end === null || (instruction?.kind !== 'load' && instruction?.kind !== 'store')) return null;
  const index = instruction.kind === 'load' ? instruction.src : instruction.dst;
  const { registers } = end.frames[end.frames.length - 1]!;
  const { offset, size } = instruction;
  return { base: registers[index]!, offset, size, verb: instruction.kind === 'load' ? 'reads' : 'writes' };
}

export const bytes = (from: number, size: number): string =>
  size === 1 ? `byte ${from}` : `bytes ${from} to ${from + size - 1}`;

export const count = (number: number): string => (number === 1 ? '1 byte' : `${number} bytes`);
