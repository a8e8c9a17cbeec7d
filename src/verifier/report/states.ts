import { mapTypeName } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { constantOf, isPacket, isPointer, RECORD, type Register } from '../state/register.ts';
import { describeKind, describeScalar } from './words.ts';

/** `data + 14`, `a value of map flows (8 bytes), or null`, `a number from 0 to 255`: what a register holds, as a noun. */
export function nameState(register: Register): string {
  const { kind, value } = register;
  if (kind === 'unset') return 'without a value';
  if (kind === 'scalar') {
    if (value.isConst) return numberWords(register);
    return rangeWords(describeScalar(value));
  }
  return NOUNS[kind]?.(register) ?? `${describeKind(withoutNull(register))}${moved(register)}${orNull(register)}`;
}

/** The same and what is known besides, as the end of a sentence that begins `r3 is`. */
export function explainState(register: Register): string {
  const noun = nameState(register);
  if (register.kind === 'packet-end') return `${noun}, the first byte behind the packet`;
  if (!isPacket(register)) return noun;
  const kind = register.kind === 'packet' ? 'a pointer into the packet' : 'a pointer into the metadata of the packet';
  return `${noun}, ${kind}; ${rangeOf(register)}`;
}

/** What comparisons have shown to be there. */
export function rangeOf({ extent, value, kind }: Register): string {
  const from = kind === 'packet' ? 'data' : 'data_meta';
  if (extent <= 0) return 'no comparison has shown any byte to be there';
  const bytes = `${extent} ${extent === 1 ? 'byte is' : 'bytes are'} known to be there`;
  return value.isConst ? `from ${from} on, ${bytes}` : `counted from ${from} plus the variable part, ${bytes}`;
}

const NOUNS: { readonly [Kind in Register['kind']]?: (register: Register) => string } = {
  packet: (register) => `data${moved(register)}`,
  'packet-meta': (register) => `data_meta${moved(register)}`,
  'packet-end': () => 'data_end',
  context: (register) => `the context${moved(register)}`,
  stack: (register) => `the stack address r10${moved(register)}`,
  map: ({ target }) => `map ${(target as MapSpec).name} itself (${mapTypeName((target as MapSpec).type)})`,
  'map-value': (register) => {
    const map = register.target as MapSpec;
    return `a pointer to a value (${map.valueSize} bytes) of map ${map.name}${moved(register)}${orNull(register)}`;
  },
  'map-key': (register) => `a pointer to a key of map ${(register.target as MapSpec).name}${moved(register)}`,
  memory: (register) =>
    `${(register.flags & RECORD) !== 0 ? 'a record of a ring buffer' : 'memory'} of ${register.extent} bytes${moved(register)}${orNull(register)}`,
};

/** The least and greatest numbers that there are say nothing. */
function rangeWords(words: string): string {
  if (words === '0 to 4294967295') return 'any number of 32 bits';
  const [, least, most] = /^(-?\d+) to (-?\d+)$/.exec(words) ?? [];
  if (least === '-9223372036854775808') return `a number of at most ${most}`;
  if (most === '9223372036854775807' || most === '18446744073709551615') return `a number of at least ${least}`;
  return words === 'any number' ? words : `a number from ${words}`;
}

function numberWords({ value }: Register): string {
  return `the number ${value.signedValue}`;
}

function moved({ offset, value }: Register): string {
  const fixed = offset + (value.isConst ? constantOf(value) : 0);
  const constant = fixed === 0 ? '' : fixed < 0 ? ` - ${-fixed}` : ` + ${fixed}`;
  return value.isConst ? constant : `${constant} + (${describeScalar(value)})`;
}

function orNull(register: Register): string {
  return register.nullable ? ', or null' : '';
}

function withoutNull(register: Register): Register {
  return { kind: register.kind, nullable: false } as Register;
}

/** What a step changed of a register, where a reader can tell a difference; null where not. */
export function changeOf(before: Register, after: Register): string | null {
  if (before === after) return null;
  if (isPacket(before) && before.kind === after.kind && nameState(before) === nameState(after)) {
    return before.extent < after.extent ? `${rangeOf(after)}` : null;
  }
  if (nameState(before) === nameState(after)) return null;
  if (before.nullable && after.kind === before.kind) return 'is not null';
  if (before.nullable && !isPointer(after)) return 'is null';
  return `is ${nameState(after)}`;
}
