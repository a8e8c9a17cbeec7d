import type { Expression, Routine } from '../wasm/expression.ts';
import type { SLOTS } from './control.ts';

/** Functions that generated code calls beside its own, each written when it is first asked for. Addresses are i32. */
export interface Routines {
  /** Index of the function of this name. */
  once(name: string, make: () => Routine): number;
  /** Index of a function (i32, i32) → i32 that JavaScript serves: for what is rare. */
  ask(name: string, serve: (first: number, second: number) => number): number;
  /** Address of a word of the control block. */
  slot(name: keyof typeof SLOTS): Expression;
}

/** The operations of a map as generated code, of those that it has; others are asked of JavaScript. Indices of functions. */
export interface MapRoutines {
  /** (key) → address of the value, or 0. */
  lookup?(routines: Routines): number;
  /** (key, value, flags: i64) → 0 or a negated errno. */
  update?(routines: Routines): number;
  /** (key) → 0 or a negated errno. */
  delete?(routines: Routines): number;
  /** Of a map that bpf_redirect_map reads: (key) → what is there, or −1. */
  target?(routines: Routines): number;
}
