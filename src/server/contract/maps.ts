import { type Static, Type } from 'typebox';
import { nullable, pageOf, refTo, strict, Uuid } from './common.ts';

const MapName = Type.String({ minLength: 1, maxLength: 255 });
const Hex = Type.String({ description: 'Hex, in memory order' });
const Value = Type.Union([Hex, Type.Array(Hex)], {
  description: 'Hex; a list for a per-CPU map; `program:NAME` in a prog_array; `map:NAME` in a map of maps',
});
const Json = (description: string) => Type.Unsafe<unknown>({ description });

export const MapParams = strict({ id: Uuid, map: MapName });
export const EntryParams = strict({
  id: Uuid,
  map: MapName,
  key: Type.String({
    minLength: 1,
    maxLength: 4096,
    description:
      'Hex of all its bytes; or JSON by the type of the key (a number also as `0x` text); `-` where the map has no keys',
  }),
});

export const MapEntry = strict(
  {
    key: Hex,
    value: Value,
    decoded: strict(
      { key: Json('By the type of the key'), value: Json('By the type of the value') },
      { description: 'Null where the object tells no type' },
    ),
  },
  { $id: 'MapEntry' },
);
export const EntriesPage = pageOf(refTo(MapEntry));

/** Limits are larger than those of other lists: entries are small. */
export const EntriesQuery = strict({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 100 })),
  cursor: Type.Optional(Type.String({ pattern: '^[0-9a-z]{1,10}$', description: '`next` of the page before' })),
});

export const ChangeSchema = strict(
  {
    value: Type.Optional(Value),
    decoded: Type.Optional(
      Json(
        'JSON by the type of the value, in place of `value`; of a data section the variables that are to change, by name',
      ),
    ),
    mode: Type.Optional(Type.Enum(['any', 'noexist', 'exist'])),
  },
  { description: 'Either `value` or `decoded`' },
);
export type Change = Static<typeof ChangeSchema>;

const TypeSchema = strict({
  c: Type.String({ description: 'As C declares it' }),
  members: nullable(
    Type.Array(
      strict({ name: Type.String(), type: Type.String(), offset: Type.Integer(), size: nullable(Type.Integer()) }),
      { description: 'Of a struct or union; the variables of a data section. Offsets and sizes in bytes' },
    ),
  ),
});

export const MapSchema = strict({
  name: Type.String(),
  type: Type.String({ description: "libbpf's name" }),
  keySize: Type.Integer(),
  valueSize: Type.Integer(),
  maxEntries: Type.Integer(),
  flags: Type.Integer({ description: 'BPF_F_* of map creation' }),
  pinned: Type.Optional(Type.Boolean({ description: 'By its name (LIBBPF_PIN_BY_NAME)' })),
  key: nullable(TypeSchema),
  value: nullable(TypeSchema),
});
export type MapRecord = Static<typeof MapSchema>;
export type TypeRecord = Static<typeof TypeSchema>;
