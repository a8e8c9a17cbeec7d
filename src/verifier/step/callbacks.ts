import type { MapSpec } from '../../object/spec.ts';
import { isZero, pointer, type Register, scalarRegister, unsignedMax } from '../state/register.ts';
import { type Callback, newFrame, type State } from '../state/state.ts';
import { UNKNOWN } from '../values/scalar.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import type { HelperCall } from './arguments.ts';
import { inTree } from './graph.ts';

/** How a helper calls a function of the program: what it hands over, and what may come back. */
interface Convention {
  readonly returns: readonly [number, number];
  readonly async?: boolean;
  /** r1 … r5 of the function. */
  arguments(v: Verification, call: HelperCall, map: MapSpec | null): readonly (Register | undefined)[];
}

const CONVENTIONS: Readonly<Record<string, Convention>> = {
  loop: {
    returns: [0, 1],
    arguments: (v) => [scalarRegister(UNKNOWN), v.register(3)],
  },
  for_each_map_elem: {
    returns: [0, 1],
    arguments: (v, _call, map) => [...elementOf(map), v.register(3)],
  },
  timer_set_callback: {
    returns: [0, 0],
    async: true,
    arguments: (_v, _call, map) => elementOf(map),
  },
  rbtree_add_impl: {
    returns: [0, 1],
    arguments: (v, call) => [inTree(v, call), inTree(v, call)],
  },
  user_ringbuf_drain: {
    returns: [0, 1],
    arguments: (v) => [pointer('dynptr', { target: { kind: 'dynptr', type: 'local' } }), v.register(3)],
  },
};

function elementOf(map: MapSpec | null): Register[] {
  return [pointer('map', { target: map }), pointer('map-key', { target: map }), pointer('map-value', { target: map })];
}

/**
 * The function is walked as another path that returns to the call, as often as its state changes; this path goes on
 * as though the helper were done.
 */
export function callBack(v: Verification, call: HelperCall): boolean {
  const { name } = call.helper;
  const convention = CONVENTIONS[name];
  if (convention === undefined)
    return v.refuse('not-followed', `functions that bpf_${name} calls are not followed by this verifier`);
  const start = call.callback!;
  if (name === 'loop' && !goesOn(v)) return true;
  if (v.state.frames.length >= MOST_FRAMES)
    return v.refuse('call-depth', `calls nest deeper than ${MOST_FRAMES} frames`);
  const passed = convention.arguments(v, call, call.map ?? ((call.timer?.target ?? null) as MapSpec | null));
  const state = v.fork(start);
  if (state === undefined) return false;
  const callback: Callback = { helper: name, returns: convention.returns, async: convention.async === true };
  if (callback.async) startAlone(v, state, start, callback);
  else {
    const caller = state.frame;
    caller.callbackDepth++;
    state.callbackDepth++;
    const chain = caller.chain.callee(v.pc, start, v.stackLiveness.lengthOf(start));
    state.frames.push(newFrame(start, v.pc, chain, callback));
    v.frame.callbackDepth = 0;
  }
  for (const [i, register] of passed.entries()) if (register !== undefined) state.frame.registers[i + 1] = register;
  return true;
}

export const MOST_FRAMES = 8;

/** bpf_loop ends after as many rounds as it was asked for: what decides on that is the number of rounds. */
function goesOn(v: Verification): boolean {
  markPrecise(v, 1);
  // With flags 0 Linux writes the loop into the program: that they are is decided here.
  if (isZero(v.register(4))) markPrecise(v, 4);
  if (v.frame.callbackDepth < unsignedMax(v.register(1).value)) return true;
  v.frame.callbackDepth = 0;
  return false;
}

/** A timer's function runs later, with nothing of this state. */
function startAlone(v: Verification, state: State, start: number, callback: Callback): void {
  state.frames.length = 0;
  state.references = [];
  state.lock = null;
  state.frames.push(newFrame(start, -1, v.stackLiveness.root(start), callback));
}
