/** Kinds of a CO-RE relocation by number: `enum bpf_core_relo_kind` of linux/bpf.h. */
export const CORE_KINDS = [
  'field_byte_offset',
  'field_byte_size',
  'field_exists',
  'field_signed',
  'field_lshift_u64',
  'field_rshift_u64',
  'type_id_local',
  'type_id_target',
  'type_exists',
  'type_size',
  'enumval_exists',
  'enumval_value',
  'type_matches',
] as const;

export type CoreKind = (typeof CORE_KINDS)[number];

/** `struct bpf_core_relo`: an instruction that depends on how the target lays out a type. */
export interface CoreRelocation {
  /** Section of the instruction. */
  readonly section: string;
  /** Byte offset of the instruction in its section. */
  readonly offset: number;
  /** In the object's own BTF. */
  readonly typeId: number;
  /** `0:1:2` for a field (indices of members and elements), the index of the value for an enum, `0` for a type. */
  readonly accessString: string;
  readonly kind: CoreKind;
}
