import { mapTypeName } from '../../abi/map-types.ts';
import { frameOf, helperWritesStack } from '../regions/stack.ts';
import { ANYTHING, isZero, type Register, scalarRegister } from '../state/register.ts';
import { signedRange, unsignedRange } from '../values/scalar.ts';
import { changesPacket } from '../walk/changes-packet.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { checkArgument, type HelperCall, newCall } from './arguments.ts';
import { callBack } from './callbacks.ts';
import { clobber, forgetPacket, releaseReference } from './effects.ts';
import { nothingHeld } from './exit.ts';
import { checkFormat } from './format.ts';
import { stepExit } from './local-call.ts';
import { mayWhileLocked } from './lock.ts';
import { resultOf } from './results.ts';

/** What helpers that fill a buffer return at least: a negated error number. */
const LEAST_ERROR = -4095n;
/** Helpers that return how many bytes they wrote, or a negated error number. */
const RETURN_LENGTH: ReadonlySet<string> = new Set([
  'get_stack',
  'get_task_stack',
  'probe_read_str',
  'probe_read_kernel_str',
  'probe_read_user_str',
]);

export function stepHelperCall(v: Verification, id: number): boolean {
  const helper = v.catalogue.helpers.get(id)!;
  const { prototype } = helper;
  if (!mayWhileLocked(v, helper)) return false;
  const call = newCall(helper);
  for (const [i, kind] of prototype.args.entries()) if (!checkArgument(v, call, kind, i + 1)) return false;
  if (!writeBuffer(v, call) || !fitsMap(v, call) || !release(v, call)) return false;
  if (OWN_RULES[helper.name]?.(v, call) === false) return false;
  if (call.callback !== null && !callBack(v, call)) return false;
  const result = resultOf(v, call, prototype.returns);
  if (result === undefined) return false;
  clobber(v.frame);
  v.set(0, boundedResult(v, call) ?? result);
  if (changesPacket(helper) || writesThrough(call)) forgetPacket(v.state);
  return helper.name === 'tail_call' && v.state.frames.length > 1 ? endByTailCall(v) : true;
}

/** What single helpers ask beyond their prototypes. */
const OWN_RULES: Readonly<Record<string, (v: Verification, call: HelperCall) => boolean>> = {
  get_local_storage: (v) =>
    isZero(v.register(2)) ||
    v.refuse('helper-argument', 'the flags of bpf_get_local_storage, r2, must be the constant 0'),
  snprintf: (v) => checkFormat(v),
  tail_call(v, { map }) {
    const { value } = v.register(3);
    if (value.isConst && map !== null && value.value < BigInt(map.maxEntries)) markPrecise(v, 3);
    return nothingHeld(v, 'another program is called');
  },
};

/** Writing through a dynptr to an sk_buff may make its data anew. */
function writesThrough({ helper, dynptr }: HelperCall): boolean {
  return helper.name === 'dynptr_write' && (dynptr!.target.type === 'skb' || dynptr!.target.type === 'skb-meta');
}

/** A tail call out of a function ends it, with whatever the other program returns; one that fails does not. */
function endByTailCall(v: Verification): boolean {
  if (v.fork(v.pc + 1) === undefined) return false;
  v.set(0, ANYTHING);
  return stepExit(v) === true;
}

function boundedResult(v: Verification, { helper, largestSize }: HelperCall): Register | undefined {
  if (helper.name === 'get_smp_processor_id') return scalarRegister(unsignedRange(0n, BigInt(v.limits.cpus - 1)));
  if (!RETURN_LENGTH.has(helper.name) || largestSize === null) return undefined;
  return scalarRegister(signedRange(LEAST_ERROR, largestSize));
}

/** A helper wrote all of the buffer on the stack that it was given. */
function writeBuffer(v: Verification, { buffer }: HelperCall): boolean {
  if (buffer === null) return true;
  return helperWritesStack(v, frameOf(v, buffer.access), buffer.offset, buffer.access.size);
}

function release(v: Verification, { helper, released, reference }: HelperCall): boolean {
  if (released === 0) return true;
  if (reference === 0) {
    if (v.register(released).kind === 'scalar') return true;
    return v.refuse('not-acquired', `r${released} is given to bpf_${helper.name} and was not acquired`);
  }
  if (!v.state.references.some((each) => each.id === reference)) {
    return v.refuse('not-acquired', `r${released} is given to bpf_${helper.name} and was released before`);
  }
  releaseReference(v.state, reference);
  return true;
}

/** Helpers that take any map: what they need of it, their other arguments say. */
const ANY_MAP: ReadonlySet<string> = new Set(['timer_init', 'kptr_xchg']);

function fitsMap(v: Verification, { helper, map }: HelperCall): boolean {
  if (map === null || ANY_MAP.has(helper.name)) return true;
  if (v.catalogue.mapTypes.get(map.type)?.helpers.has(helper.name) === true) return true;
  const type = mapTypeName(map.type);
  return v.refuse('map-mismatch', `bpf_${helper.name} does not take map ${map.name}, which is of type ${type}`);
}
