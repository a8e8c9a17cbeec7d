import { isPresent } from '../../abi/catalogue.ts';
import type { Instruction } from '../../isa/instruction.ts';
import { contextPointerIsUnmoved } from '../regions/context.ts';
import {
  ANYTHING,
  constantRegister,
  NOTHING,
  pointer,
  READ_ONLY,
  type Register,
  scalarRegister,
} from '../state/register.ts';
import { endian } from '../values/arithmetic.ts';
import { ZERO } from '../values/scalar.ts';
import type { Verification } from '../walk/verification.ts';
import { readable, stepAlu } from './alu.ts';
import { stepJump } from './branch.ts';
import { clobber } from './effects.ts';
import { nothingHeld } from './exit.ts';
import { stepHelperCall } from './helper-call.ts';
import { stepKfuncCall } from './kfunc-call.ts';
import { stepExit, stepLocalCall } from './local-call.ts';
import { stepAtomic, stepLoad, stepStore } from './memory.ts';
import { widen } from './widen.ts';

/** Program types whose context is an sk_buff that legacy packet loads can read. */
const LEGACY_LOADS: ReadonlySet<string> = new Set(['socket_filter', 'sched_cls', 'sched_act']);

/** What one instruction does to the state; `v.next` is where the path goes on. False when it is refused. */
export function step(v: Verification): boolean | 'ended' {
  const { instruction } = v;
  v.next = v.pc + 1;
  if (v.faults !== null) {
    const fault = v.faults.get(v.pc);
    if (fault !== undefined) {
      v.refusal = fault;
      return false;
    }
  }
  switch (instruction.kind) {
    case 'alu':
      return stepAlu(v, instruction);
    case 'load':
      return stepLoad(v, instruction);
    case 'store':
      return stepStore(v, instruction);
    case 'jump':
      v.cost.jumps++;
      return stepJump(v, instruction);
    case 'imm64':
      v.next = v.pc + 2;
      return isCallback(v, instruction) && v.set(instruction.dst, immediateOf(v, instruction));
    case 'call':
      v.cost.jumps++;
      return stepCall(v, instruction);
    case 'exit':
      v.cost.jumps++;
      return stepExit(v);
    case 'goto':
      v.cost.jumps++;
      v.next = instruction.target;
      return true;
    case 'atomic':
      return stepAtomic(v, instruction);
    case 'endian':
      return stepEndian(v, instruction);
    case 'packet':
      return stepPacketLoad(v, instruction);
    case 'may_goto':
      v.cost.jumps++;
      return stepMayGoto(v, instruction.target);
    case 'addr_space_cast':
      return v.refuse(
        'not-followed',
        'casts between address spaces are for arenas, which networking programs here do not have',
      );
    case 'invalid':
      return v.refuse('unknown-opcode', instruction.message);
  }
}

function stepEndian(v: Verification, { op, bits, dst }: Extract<Instruction, { kind: 'endian' }>): boolean {
  if (!readable(v, dst)) return false;
  const { kind, value } = v.register(dst);
  return v.set(dst, kind === 'scalar' ? scalarRegister(endian(op, bits, value)) : ANYTHING);
}

function immediateOf(v: Verification, { value }: Extract<Instruction, { kind: 'imm64' }>): Register {
  const { maps } = v.program;
  switch (value.type) {
    case 'value':
      return constantRegister(value.value);
    case 'map':
    case 'map-by-index':
      return pointer('map', { target: maps[value.map]! });
    case 'map-value':
    case 'map-value-by-index':
      return pointer('map-value', { target: maps[value.map]!, offset: value.offset });
    case 'function':
      return pointer('function', { extent: value.pc });
    case 'ksym':
      return isPresent(v.catalogue, v.program.kernelSymbols[value.btfId])
        ? pointer('memory', { flags: READ_ONLY, extent: 0 })
        : scalarRegister(ZERO);
  }
}

/** Linux takes the address of a function only where BTF says that it is a static one. */
function isCallback(v: Verification, { value }: Extract<Instruction, { kind: 'imm64' }>): boolean {
  if (value.type !== 'function') return true;
  const named = v.program.functions.find((each) => each.start === value.pc);
  if (named?.linkage === 'static' && named.btfId !== null) return true;
  const why = named?.linkage === 'static' ? 'it is not in BTF' : 'it is not static';
  return v.refuse(
    'bad-callback',
    `the address of ${v.functionName(value.pc)} is taken: ${why}`,
    'Make it static, and compile with -g',
  );
}

function stepCall(v: Verification, { target }: Extract<Instruction, { kind: 'call' }>): boolean | 'ended' {
  switch (target.type) {
    case 'helper':
      return stepHelperCall(v, target.id);
    case 'local':
      return stepLocalCall(v, target.pc);
    case 'kfunc':
      return stepKfuncCall(v, target.btfId);
    case 'register':
      return v.refuse('indirect-call', `a call through r${target.reg}`);
  }
}

/** The packet's bytes into r0, or an end of the program where they are not there. */
function stepPacketLoad(v: Verification, { mode, src }: Extract<Instruction, { kind: 'packet' }>): boolean {
  if (!LEGACY_LOADS.has(v.program.type)) {
    return v.refuse('helper-not-allowed', `legacy packet loads are not for programs of type ${v.program.type}`);
  }
  if (!nothingHeld(v, 'a legacy packet load may end the program')) return false;
  if (!readable(v, 6)) return false;
  const context = v.register(6);
  if (context.kind !== 'context') {
    return v.refuse('helper-argument', 'legacy packet loads need the context in r6', 'Copy r1 to r6 at the start');
  }
  if (mode === 'ind' && !readable(v, src)) return false;
  if (!contextPointerIsUnmoved(v, context, 6)) return false;
  clobber(v.frame);
  v.set(0, ANYTHING);
  if (v.state.frames.length === 1) return true;
  // A load that fails returns 0 from the function at once.
  if (v.fork(v.pc + 1) === undefined) return false;
  v.set(0, NOTHING);
  return stepExit(v) === true;
}

/**
 * Linux counts down a hidden number, and so leaves the loop in time: both ways are possible. What changes from round
 * to round and decides nothing is given up, so that the rounds become alike.
 */
function stepMayGoto(v: Verification, target: number): boolean {
  const around = v.fork(v.pc + 1);
  if (around === undefined) return false;
  around.mayGotoDepth++;
  widen(around, v.state.parent?.parent ?? null, v.pc);
  v.next = target;
  return true;
}
