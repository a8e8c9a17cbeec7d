import type { Routines } from '../../abi/routines.ts';
import type { FunctionType } from '../../wasm/module.ts';
import type { ValueType } from '../../wasm/opcodes.ts';

/** Every BPF function: r1 … r5, r10 and the frames below; gives r0. */
export const FUNCTION: FunctionType = {
  parameters: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i32'],
  results: ['i64'],
};
/** Its careful twin: the node at which to go on. Registers come and r0 goes through the control block. */
export const TWIN: FunctionType = { parameters: ['i32'], results: [] };

/** Indices of the functions that generated code calls. */
export interface Callees {
  /** (fuel, pc, register): ends the run with the error of the instruction at pc. */
  readonly fail: number;
  /** (r0 … r10, frames below, fuel, function, node) → r0: goes on with fuel that may end before the next checkpoint. */
  readonly handOver: number;
  /** (pc): ends the run, its fuel being spent. */
  readonly spend: number;
  /** By pc of a call that JavaScript serves. */
  readonly sites: ReadonlyMap<number, number>;
  /** By index in the unit. */
  readonly functions: readonly number[];
  /** (address, size) → whether the program may read, or write, there. */
  readonly readable: number;
  readonly writable: number;
  /** (address, value) → the word to store there. */
  readonly stored: number | undefined;
  readonly routines: Routines;
  /** Index of the type FUNCTION. */
  readonly functionType: number;
}

export interface Locals {
  /** By register. */
  readonly registers: readonly number[];
  readonly depth: number;
  readonly label: number;
  readonly fuel: number;
  /** For the time of one instruction: two of 64 bits, two of 32. */
  readonly wide: number;
  readonly other: number;
  readonly word: number;
  readonly address: number;
}

export const FAST: Locals = {
  registers: [7, 0, 1, 2, 3, 4, 8, 9, 10, 11, 5],
  depth: 6,
  fuel: 12,
  wide: 13,
  other: 14,
  label: 15,
  word: 16,
  address: 17,
};
export const FAST_LOCALS: readonly (readonly [number, ValueType])[] = [[8, 'i64'], [3, 'i32']]; // biome-ignore format: a table
export const CAREFUL: Locals = {
  label: 0,
  registers: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  fuel: 12,
  wide: 13,
  other: 14,
  depth: 15,
  word: 16,
  address: 17,
};
export const CAREFUL_LOCALS: readonly (readonly [number, ValueType])[] = [[14, 'i64'], [3, 'i32']]; // biome-ignore format: a table
