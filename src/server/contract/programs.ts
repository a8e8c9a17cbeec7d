import { type Static, Type } from 'typebox';
import { Digest, Name, nullable, strict, Time } from './common.ts';

/** Of the source. */
const Line = strict({
  pc: Type.Integer({ description: 'The first one that came of the line' }),
  file: Type.String(),
  line: Type.Integer(),
  column: Type.Integer(),
  text: Type.String(),
});

const RefusalSchema = strict(
  {
    code: Type.String({ description: 'Stable, for example `unreachable-instruction`' }),
    pc: nullable(Type.Integer({ description: 'In 8-byte slots; null where the whole program is at fault' })),
    message: Type.String(),
    help: nullable(Type.String({ description: 'What would make it right' })),
    line: nullable(Line),
  },
  { description: 'Why the verifier does not take the program' },
);

const EntrySchema = strict({
  name: Type.String(),
  section: Type.String(),
  type: nullable(Type.String({ description: "libbpf's name; null where the section names none" })),
  attachType: nullable(Type.String()),
  instructions: Type.Integer({ description: '8-byte slots, with the functions it calls' }),
  functions: Type.Array(strict({ name: Type.String(), start: Type.Integer(), length: Type.Integer() })),
  verdict: Type.Enum(['accept', 'reject']),
  refusal: nullable(RefusalSchema),
});

const MapSchema = strict({
  name: Type.String(),
  type: Type.String({ description: "libbpf's name" }),
  keySize: Type.Integer(),
  valueSize: Type.Integer(),
  maxEntries: Type.Integer(),
  flags: Type.Integer({ description: 'BPF_F_* of map creation' }),
});

/** A line of a disassembly. */
export const DisassembledSchema = strict({
  pc: Type.Integer({ description: 'In 8-byte slots' }),
  text: Type.String(),
  function: nullable(Type.String({ description: 'The function that begins here' })),
  line: nullable(Line),
});

export const Program = strict(
  {
    id: Digest,
    name: nullable(Name),
    size: Type.Integer(),
    createdAt: Time,
    format: Type.Enum(['elf', 'assembly', 'classic'], { description: 'What was submitted' }),
    license: Type.String(),
    entry: nullable(Type.String({ description: 'The program that runs when a replay names none; null: name one' })),
    programs: Type.Array(EntrySchema),
    maps: Type.Array(MapSchema),
  },
  { $id: 'Program' },
);

export type ProgramRecord = Static<typeof Program>;
export type Entry = Static<typeof EntrySchema>;
export type Disassembled = Static<typeof DisassembledSchema>;
