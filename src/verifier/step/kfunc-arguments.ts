import type { KfuncArgument } from '../../abi/kfunc.ts';
import { describeKind, describeScalar } from '../report/words.ts';
import { type BtfTarget, constantOf, isZero, RCU, type Register, TRUSTED } from '../state/register.ts';
import { markPrecise } from '../walk/precision.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';
import { checkArgument, checkSize, type HelperCall } from './arguments.ts';
import { newNode, nodeInside, owned, refcounted, root } from './graph.ts';
import { checkMemory } from './memory-arguments.ts';

/** sizeof(union nf_inet_addr) of linux/netfilter.h. */
const NAT_ADDRESS = 16;

type Rule = (v: Verification, call: HelperCall, index: number, register: Register) => boolean;

const buffer: Rule = (v, call, index, register) => {
  if (register.nullable) {
    return v.refuse(
      'helper-argument',
      `r${index} (${describeKind(register)}) is to be memory`,
      'Compare it with null first',
    );
  }
  call.memory = { index, use: 'read' };
  return true;
};

/** Kernel functions both read and write the memory that they are given. */
const bufferSize: Rule = (v, call, index, register) => {
  if (!isNumber(v, call, index, register)) return false;
  if (!checkSize(v, call, index, register, true)) return false;
  call.memory = { index: call.memory!.index, use: 'write' };
  return checkSize(v, call, index, register, true);
};

/**
 * The buffer of a slice is handed over as memory that is read and written, and only written: all of it or, where the bytes
 * are in one piece, nothing; but a part, where the packet became shorter than the dynptr. So what lay there before shows
 * in no slice.
 */
const sparedBuffer: Rule = (v, call, index, register) => {
  const wasUnwritten = v.unwritten.has(v.pc);
  if (!bufferSize(v, call, index, register)) return false;
  if (!wasUnwritten && !v.changesPackets) v.unwritten.delete(v.pc);
  return true;
};

const RULES: { readonly [Kind in Exclude<KfuncArgument, `*${string}` | `&${string}`>]?: Rule } = {
  number: isNumber,
  u64: isNumber,
  u32: isNumber,
  s32: isNumber,
  constant: isConstant,
  buffer,
  'buffer?': (v, call, index, register) => {
    if (!isZero(register)) return buffer(v, call, index, register);
    call.memory = null;
    return true;
  },
  'buffer-size': bufferSize,
  'buffer-constant': (v, call, index, register) =>
    isConstant(v, call, index, register) && (call.memory === null || sparedBuffer(v, call, index, register)),
  'type-id': isConstant,
  'dynptr?': (v, call, index, register) => isZero(register) || checkArgument(v, call, 'dynptr', index),
  owned,
  refcounted,
  'list-head': root('bpf_list_head'),
  'tree-root': root('bpf_rb_root'),
  'new-list-node': newNode,
  'new-tree-node': newNode,
  'tree-node': nodeInside,
  order(v, call, index, register) {
    if (register.kind !== 'function')
      return v.refuse('helper-argument', `r${index} is to be a function of the program`);
    call.callback = register.extent;
    return true;
  },
  'nat-address': (v, call, index) =>
    checkMemory(v, call, index, NAT_ADDRESS, 'read', false) && checkMemory(v, call, index, NAT_ADDRESS, 'write', false),
};

export function checkKfuncArgument(v: Verification, call: HelperCall, kind: KfuncArgument, index: number): boolean {
  if (kind === 'unchecked') return true;
  if (!readable(v, index)) return false;
  const register = v.register(index);
  if (kind.startsWith('*')) return isHeld(v, call, index, register, kind.slice(1), TRUSTED);
  if (kind.startsWith('&')) return isHeld(v, call, index, register, kind.slice(1), TRUSTED | RCU);
  const rule = RULES[kind as keyof typeof RULES];
  if (rule !== undefined) return rule(v, call, index, register);
  return checkArgument(v, call, kind as Parameters<typeof checkArgument>[2], index);
}

function isNumber(v: Verification, _call: HelperCall, index: number, register: Register): boolean {
  if (register.kind === 'scalar') return true;
  return v.refuse('helper-argument', `r${index} is a ${describeKind(register)}: it must be a number`);
}

function isConstant(v: Verification, call: HelperCall, index: number, register: Register): boolean {
  if (!isNumber(v, call, index, register)) return false;
  if (!register.value.isConst) {
    return v.refuse('helper-argument', `r${index} is ${describeScalar(register.value)}: it must be a constant`);
  }
  markPrecise(v, index);
  call.allocated = constantOf(register.value);
  return true;
}

/** Whether the register points to the very start of a structure of the kernel that is sure to stay. */
function isHeld(
  v: Verification,
  call: HelperCall,
  index: number,
  register: Register,
  name: string,
  enough: number,
): boolean {
  const { kind, reference, flags, offset, value } = register;
  const named = namesOf(register).includes(name);
  const isStart = offset === 0 && value.isConst && constantOf(value) === 0;
  if (named && isStart && !register.nullable && (reference !== 0 || (flags & enough) !== 0)) {
    if (call.reference === 0) call.reference = reference;
    return true;
  }
  const why = !named
    ? `is ${kind === 'btf' ? `a pointer to a ${(register.target as BtfTarget | null)?.name ?? 'structure'}` : describeKind(register)}`
    : register.nullable
      ? 'may be null'
      : isStart
        ? 'is not held'
        : 'does not point to its start';
  return v.refuse(
    'helper-argument',
    `r${index} is to be a pointer to a ${name} that is held: it ${why}`,
    register.nullable ? 'Compare it with null first' : null,
  );
}

/** Structures as which the kernel's BTF knows what a register points to. */
function namesOf({ kind, target }: Register): readonly string[] {
  if (kind === 'sock') return ['sock'];
  if (kind === 'tcp-sock') return ['sock', 'tcp_sock'];
  if (kind !== 'btf') return [];
  const name = (target as BtfTarget | null)?.name ?? '';
  return name === 'tcp_sock' ? ['sock', name] : [name];
}
