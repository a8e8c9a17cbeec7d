import { type Static, Type } from 'typebox';
import { Digest, Name, nullable, strict, Time } from './common.ts';
import { MapSchema } from './maps.ts';

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

export const PlaceSchema = strict({
  pc: Type.Integer({ description: 'In 8-byte slots' }),
  instruction: Type.String(),
  function: Type.String(),
  file: nullable(Type.String()),
  line: nullable(Type.Integer()),
  column: nullable(Type.Integer()),
  source: nullable(Type.String()),
});

const ReportSchema = strict(
  {
    program: Type.String(),
    type: Type.String(),
    code: Type.String(),
    category: Type.String({ description: 'What kind of rule was broken' }),
    title: Type.String({ description: 'The code in a few words' }),
    reason: Type.String({ description: 'What is wrong here' }),
    rule: Type.String({ description: 'Why there is such a rule' }),
    help: nullable(Type.String({ description: 'What would make it right' })),
    at: nullable(PlaceSchema),
    registers: Type.Array(strict({ name: Type.String(), state: Type.String() }), {
      description: 'Those at fault, before the instruction',
    }),
    path: Type.Array(
      strict({
        place: PlaceSchema,
        events: Type.Array(
          strict({
            pc: Type.Integer(),
            instruction: Type.String(),
            kind: Type.Enum(['write', 'learn', 'branch', 'effect']),
            text: Type.String(),
          }),
        ),
        skipped: Type.Integer({ description: 'Instructions of the path that are not shown before this' }),
        times: Type.Integer({ description: 'How often the path passed here with something to tell' }),
      }),
      { description: 'How the program comes there' },
    ),
    pathLength: Type.Integer(),
    busiest: Type.Array(strict({ place: PlaceSchema, followed: Type.Integer() }), {
      description: 'Where most of the work went, where the limit of work was reached',
    }),
  },
  { description: 'The refusal told in full' },
);

const FactsSchema = strict(
  {
    longest: Type.Array(strict({ function: Type.String(), instructions: nullable(Type.Integer()) }), {
      description:
        'Instructions that one run takes at most, by the function that is verified by itself; null where may_goto, an iterator or a callback makes it long',
    }),
    stack: Type.Array(strict({ function: Type.String(), bytes: Type.Integer() })),
    loops: Type.Array(
      strict({
        pc: Type.Integer(),
        function: Type.String(),
        file: nullable(Type.String()),
        line: nullable(Type.Integer()),
        rounds: Type.Union([Type.Integer(), Type.Enum(['may_goto', 'iterator', 'callback'])], {
          description: 'At most, in one run; or what else ends the loop',
        }),
      }),
    ),
    memory: Type.Array(
      strict({
        kind: Type.String({ description: '`stack`, `packet`, `context`, `map-value` …' }),
        map: nullable(Type.String()),
        from: Type.Integer(),
        to: Type.Integer(),
        writes: Type.Boolean(),
      }),
      {
        description:
          'Bytes touched at all, `from` the first, `to` behind the last, from the start of each region; the stack counts down from its top',
      },
    ),
    unreached: Type.Array(Type.Integer(), { description: 'Instructions that no path reaches' }),
    state: strict(
      {
        reach: Type.Enum(['stateless', 'per-cpu', 'shared']),
        carriers: Type.Array(
          strict({ reach: Type.Enum(['per-cpu', 'shared']), pc: Type.Integer(), what: Type.String() }),
        ),
      },
      { description: 'What one packet leaves behind for the next' },
    ),
  },
  { description: 'What is proved of a program that is accepted' },
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
  report: nullable(ReportSchema),
  facts: nullable(FactsSchema),
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
