import { describeKind, describeScalar } from '../report/words.ts';
import { ANYTHING, signedMax, signedMin } from '../state/register.ts';
import { newFrame } from '../state/state.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';
import { MOST_FRAMES } from './callbacks.ts';
import { clobber, forgetPacket } from './effects.ts';
import { stepLastExit } from './exit.ts';
import { takesArguments } from './global-arguments.ts';
import { widen } from './widen.ts';

const ARGUMENTS = 5;

/** A call of a function of the program: a static one is walked into, a global one is known by its arguments. */
export function stepLocalCall(v: Verification, start: number): boolean {
  const callee = v.program.functions.find((each) => each.start === start)!;
  if (callee.linkage === 'global' && v.program.btf !== null && callee.btfId !== null) return callGlobal(v, start);
  const { state } = v;
  if (state.frames.length >= MOST_FRAMES) return v.refuse('call-depth', `calls nest deeper than ${MOST_FRAMES} frames`);
  const caller = state.frame;
  const chain = caller.chain.callee(v.pc, start, callee.length);
  const frame = newFrame(start, v.pc, chain);
  for (let i = 1; i <= ARGUMENTS; i++) frame.registers[i] = caller.registers[i]!;
  clobber(caller);
  state.frames.push(frame);
  v.next = start;
  return true;
}

function callGlobal(v: Verification, start: number): boolean {
  if (v.state.lock !== null) {
    return v.refuse('lock', `${v.functionName(start)} is called while a spin lock is held: global functions cannot be`);
  }
  if (!takesArguments(v, start)) return false;
  v.globalsCalled.add(start);
  clobber(v.frame);
  v.set(0, ANYTHING);
  if (v.changesPacket(start)) forgetPacket(v.state);
  v.next = v.pc + 1;
  return true;
}

/** Returns to the caller; `ended` where there is none. */
export function stepExit(v: Verification): boolean | 'ended' {
  const { state } = v;
  const { callback } = v.frame;
  if (callback?.async === true && state.frames.length === 1)
    return returnsWithin(v, callback.returns) ? 'ended' : false;
  if (state.frames.length === 1) return stepLastExit(v) && 'ended';
  // A function that returns nothing leaves r0 as it is: reading it is refused where it is read.
  const result = v.register(0);
  if (result.kind === 'stack') {
    return v.refuse('return-value', `${v.functionName(v.pc)} returns a pointer to its stack, which ends with it`);
  }
  if (callback !== null && !returnsWithin(v, callback.returns)) return false;
  const callee = state.frames.pop()!;
  if (callback === null) {
    v.set(0, result);
    v.next = callee.callsite + 1;
    return true;
  }
  // The helper may call again: its call is walked anew.
  v.next = callee.callsite;
  widen(state, state.parent, callee.callsite);
  return true;
}

function returnsWithin(v: Verification, [least, most]: readonly [number, number]): boolean {
  if (!readable(v, 0)) return false;
  const result = v.register(0);
  if (result.kind !== 'scalar')
    return v.refuse('return-value', `a callback returns a ${describeKind(result)}: it must be ${least} to ${most}`);
  markPrecise(v, 0);
  if (signedMin(result.value) >= least && signedMax(result.value) <= most) return true;
  return v.refuse('return-value', `a callback returns ${describeScalar(result.value)}: it must be ${least} to ${most}`);
}
