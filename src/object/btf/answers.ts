import { type Access, coreFault, enumValues, requiredSize } from './access.ts';
import { isAnyEnum } from './compatible.ts';
import type { CoreKind, CoreRelocation } from './relocation.ts';
import { membersOf, resolve, resolveType } from './types.ts';

/** What a relocation asks of a type, answered. */
export interface Answer {
  readonly value: bigint;
  /** The compiler must have come to the same value for the object's own type. */
  readonly exact: boolean;
  /** The field whose bytes the instruction accesses, where it is no bitfield. */
  readonly field?: { readonly type: number; readonly size: number };
}

/** What a relocation is answered where the target has nothing of the kind; left out: the instruction is poisoned. */
export const ABSENT: Partial<Record<CoreKind, Answer>> = Object.fromEntries(
  (['field_exists', 'type_id_target', 'type_exists', 'type_size', 'type_matches', 'enumval_exists'] as const).map(
    (kind) => [kind, { value: 0n, exact: true }],
  ),
);

type Answerer = (access: Access, relocation: CoreRelocation) => Answer;

const exists: Answerer = () => ({ value: 1n, exact: true });
const typeId: Answerer = (access) => ({ value: BigInt(access.root), exact: false });

/** By kind: what the relocation asks of a type. Linking may renumber types, so an id is not held against the code. */
export const ANSWERS: Readonly<Record<CoreKind, Answerer>> = {
  field_byte_offset: (access, relocation) => {
    const { type, size, byteOffset, bitfield } = fieldOf(access, relocation);
    return { value: BigInt(byteOffset), exact: !bitfield, ...(bitfield ? {} : { field: { type, size } }) };
  },
  field_byte_size: (access, relocation) => {
    const { size, bitfield } = fieldOf(access, relocation);
    return { value: BigInt(size), exact: !bitfield };
  },
  field_exists: exists,
  field_signed: (access, relocation) => {
    const type = resolveType(access.btf, memberField(access, relocation).type);
    const signed = (type.kind === 'int' || isAnyEnum(type)) && type.signed;
    return { value: signed ? 1n : 0n, exact: true };
  },
  // Shifts that bring a field, loaded into 64 bits, to the top and from there down to its value.
  field_lshift_u64: (access, relocation) => {
    const { bits, byteOffset, bitfield } = memberField(access, relocation);
    return { value: BigInt(64 - (access.bitOffset + bits - byteOffset * 8)), exact: !bitfield };
  },
  field_rshift_u64: (access, relocation) => ({
    value: BigInt(64 - memberField(access, relocation).bits),
    exact: true,
  }),
  type_id_local: typeId,
  type_id_target: typeId,
  type_exists: exists,
  type_size: (access, relocation) => ({
    value: BigInt(requiredSize(access.btf, access.root, relocation)),
    exact: true,
  }),
  enumval_exists: exists,
  enumval_value: (access) => {
    const { type, index } = access.steps[0]!;
    return { value: enumValues(access.btf.typeById(type))![index]!.value, exact: true };
  },
  type_matches: exists,
};

const yesOrNo = (value: bigint) => (value === 0n ? 'no' : 'yes');
const size = (value: bigint) => `size ${value}`;
const existence = (value: bigint) => (value === 0n ? 'does not exist' : 'exists');
const shift = (value: bigint) => `shift by ${value}`;

/** The answer in words, for `inspect`. */
export const WORDS: Readonly<Record<CoreKind, (value: bigint) => string>> = {
  field_byte_offset: (value) => `offset ${value}`,
  field_byte_size: size,
  field_exists: existence,
  field_signed: (value) => `signed: ${yesOrNo(value)}`,
  field_lshift_u64: shift,
  field_rshift_u64: shift,
  type_id_local: (value) => `type ${value}`,
  type_id_target: (value) => (value === 0n ? 'does not exist' : `type ${value}`),
  type_exists: existence,
  type_size: (value) => (value === 0n ? 'does not exist' : size(value)),
  enumval_exists: existence,
  enumval_value: (value) => `${value}`,
  type_matches: (value) => (value === 0n ? 'does not match' : 'matches'),
};

interface Field {
  readonly type: number;
  /** Bytes to load. */
  readonly size: number;
  readonly byteOffset: number;
  readonly bits: number;
  readonly bitfield: boolean;
}

/** The field that the last step leads to: a member or an element. */
function fieldOf(access: Access, relocation: CoreRelocation): Field {
  const step = access.steps.at(-1)!;
  const { bitOffset } = access;
  const member = step.name === null ? undefined : membersOf(access.btf, step.type)![step.index]!;
  const type = member === undefined ? step.type : resolve(access.btf, member.type);
  const size = requiredSize(access.btf, type, relocation);
  const bits = member?.bitfieldSize ?? 0;
  if (bits === 0) return { type, size, byteOffset: Math.floor(bitOffset / 8), bits: size * 8, bitfield: false };

  // The least aligned number, from the declared type's size up, that holds all bits.
  for (let load = size; load > 0 && load <= 8; load *= 2) {
    const byteOffset = Math.floor(bitOffset / 8 / load) * load;
    if (bitOffset + bits <= (byteOffset + load) * 8) return { type, size: load, byteOffset, bits, bitfield: true };
  }
  throw coreFault(relocation, 'core-bitfield', `no load of at most 8 bytes holds all ${bits} bits of the field`);
}

function memberField(access: Access, relocation: CoreRelocation): Field {
  if (access.steps.at(-1)!.name !== null) return fieldOf(access, relocation);
  throw coreFault(relocation, 'core-access', 'it asks of an array element what only a member has');
}
