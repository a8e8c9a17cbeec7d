import { type Register, type RegisterKind, signedMax, signedMin, unsignedMax, unsignedMin } from '../state/register.ts';
import type { Scalar } from '../values/scalar.ts';

const KIND_WORDS: Record<RegisterKind, string> = {
  unset: 'never written',
  scalar: 'a number',
  context: 'pointer to the context',
  map: 'a map',
  'map-key': 'pointer to a map key',
  'map-value': 'pointer to a map value',
  stack: 'pointer to the stack',
  packet: 'pointer into the packet',
  'packet-meta': 'pointer to the packet metadata',
  'packet-end': 'pointer to the packet end',
  memory: 'pointer to memory',
  'flow-keys': 'pointer to the flow keys',
  'sock-common': 'pointer to a socket (common part)',
  sock: 'pointer to a socket',
  'tcp-sock': 'pointer to a TCP socket',
  'xdp-sock': 'pointer to an XDP socket',
  btf: 'pointer to a kernel structure',
  'percpu-btf': 'pointer to a per-CPU kernel variable',
  function: 'pointer to a function',
  dynptr: 'pointer to a dynptr',
  iterator: 'an iterator',
  object: 'pointer to an object',
};

/** `pointer to a map value, or null`. */
export function describeKind(register: Register): string {
  return KIND_WORDS[register.kind] + (register.nullable ? ', or null' : '');
}

/** A scalar in words: its value, or the bounds that say something. */
export function describeScalar(value: Scalar): string {
  if (value.isConst) return `${value.signedValue}`;
  if (unsignedMax(value) < 2 ** 64 - 1 || unsignedMin(value) > 0) return `${value.umin} to ${value.umax}`;
  if (signedMin(value) > -(2 ** 63) || signedMax(value) < 2 ** 63 - 1) return `${value.smin} to ${value.smax}`;
  return 'any number';
}

/** A register in words, for messages. */
export function describeRegister(register: Register): string {
  if (register.kind === 'scalar') return describeScalar(register.value);
  const parts = [describeKind(register)];
  if (register.offset !== 0) parts.push(`${register.offset >= 0 ? 'plus' : 'minus'} ${Math.abs(register.offset)}`);
  if (!register.value.isConst) parts.push(`plus ${describeScalar(register.value)}`);
  return parts.join(' ');
}
