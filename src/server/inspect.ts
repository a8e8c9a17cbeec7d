import { decodeUtf8 } from '../base/bytes.ts';
import {
  assembleObject,
  type Btf,
  catalogue,
  decode,
  disassemble,
  formatType,
  type LineInfo,
  type LoadError,
  type MapSpec,
  mapTypeName,
  membersOf,
  namesOf,
  type ObjectSpec,
  OptionError,
  readObject,
  reportOf,
  selectProgram,
  sizeOf,
  summariseFacts,
  variablesOf,
  verifyProgram,
} from '../index.ts';
import type { MapRecord, TypeRecord } from './contract/maps.ts';
import type { Disassembled, Entry, ProgramRecord } from './contract/programs.ts';

export type Found = Pick<ProgramRecord, 'format' | 'license' | 'entry' | 'programs' | 'maps'>;

/** What the thread that inspects is asked. */
export interface Question {
  readonly path: string;
  /** Given where the file is assembly text: the type of its program. */
  readonly assemblyType?: string;
  /** The program to disassemble; without it all are judged. */
  readonly disassemble?: string;
}

/** What it answers, and how long it took: `T` is `Found`, or NDJSON of `Disassembled`. */
export type Answer<T> =
  | { readonly found: T; readonly seconds: number }
  | { readonly fault: LoadError['detail']; readonly message: string };

/** What an object holds and what the verifier says of it. Throws `LoadError`. */
export function inspectObject(bytes: Uint8Array, assemblyType?: string): Found {
  const object = readProgram(bytes, assemblyType);
  const isElf = ELF_MAGIC.every((byte, i) => bytes[i] === byte);
  return {
    format: assemblyType !== undefined ? 'assembly' : isElf ? 'elf' : 'classic',
    license: object.license,
    entry: defaultEntry(object),
    programs: object.programs.map((spec) => entry(object, spec)),
    maps: object.maps.map((map) => mapRecord(object.btf, map)),
  };
}

function mapRecord(btf: Btf | null, map: MapSpec): MapRecord {
  const { name, type, keySize, valueSize, maxEntries, flags, pinning, keyBtfId, valueBtfId } = map;
  const value = typeRecord(btf, valueBtfId);
  const variables = variablesOf(btf, map);
  return {
    name,
    type: mapTypeName(type),
    keySize,
    valueSize,
    maxEntries,
    flags,
    ...(pinning === LIBBPF_PIN_BY_NAME ? { pinned: true } : {}),
    key: typeRecord(btf, keyBtfId),
    value:
      value === null || btf === null || variables.length === 0
        ? value
        : {
            ...value,
            members: variables.map((each) => ({ ...each, type: nameOf(btf, typeOfVariable(btf, each.type)) })),
          },
  };
}

function typeOfVariable(btf: Btf, id: number): number {
  const variable = btf.typeById(id);
  return variable.kind === 'var' ? variable.type : id;
}

function typeRecord(btf: Btf | null, id: number | null): TypeRecord | null {
  if (btf === null || id === null) return null;
  const members = membersOf(btf, id)?.map(({ name, type, bitOffset }) => ({
    name,
    type: nameOf(btf, type),
    offset: Math.floor(bitOffset / 8),
    size: sizeOf(btf, type),
  }));
  return { c: formatType(btf, id), members: members ?? null };
}

/** As a member is declared: by name where there is one. */
function nameOf(btf: Btf, id: number): string {
  const { kind, name } = btf.typeById(id);
  if (kind === 'typedef') return name;
  return name !== '' && TAGGED.has(kind) ? `${kind.replace('64', '')} ${name}` : formatType(btf, id);
}

const TAGGED: ReadonlySet<string> = new Set(['struct', 'union', 'enum', 'enum64']);

const LIBBPF_PIN_BY_NAME = 1;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46];

function readProgram(bytes: Uint8Array, assemblyType: string | undefined): ObjectSpec {
  return assemblyType === undefined ? readObject(bytes) : assembleObject(decodeUtf8(bytes), { type: assemblyType });
}

/** NDJSON, a line an instruction. Throws `LoadError`, and `OptionError` when there is no such program. */
export function disassembleObject(bytes: Uint8Array, name: string, assemblyType?: string): string {
  const object = readProgram(bytes, assemblyType);
  const spec = selectProgram(object, name);
  const names = namesOf(object);
  const functions = new Map(spec.functions.map((each) => [each.start, each.name]));
  const lines = new Map(spec.lines.map((line) => [line.pc, line]));
  // The second slot of a wide instruction is none of its own.
  return decode(spec.instructions).reduce((text, instruction, pc) => {
    if (instruction === undefined) return text;
    const line = lines.get(pc);
    const one: Disassembled = {
      pc,
      text: disassemble(instruction, pc, names),
      function: functions.get(pc) ?? null,
      line: line === undefined ? null : sourceLine(line),
    };
    return `${text}${JSON.stringify(one)}\n`;
  }, '');
}

function sourceLine({ pc, file, line, column, text }: LineInfo): Disassembled['line'] {
  return { pc, file, line, column, text };
}

function entry(object: ObjectSpec, spec: ObjectSpec['programs'][number]): Entry {
  const { refusal, report, facts } = judge(object, spec);
  return {
    name: spec.name,
    section: spec.section,
    type: spec.type,
    attachType: spec.attachType,
    instructions: spec.instructions.length / 8,
    functions: spec.functions.map(({ name, start, length }) => ({ name, start, length })),
    verdict: refusal === null ? 'accept' : 'reject',
    refusal,
    report,
    facts,
  };
}

function judge(object: ObjectSpec, spec: ObjectSpec['programs'][number]): Pick<Entry, 'refusal' | 'report' | 'facts'> {
  if (spec.type === null) {
    const refusal = {
      code: 'unknown-program-type',
      pc: null,
      message: `section ${spec.section} names no program type`,
      help: 'Name one as `type` of the replay',
      line: null,
    };
    return { refusal, report: null, facts: null };
  }
  const { program, verdict } = verifyProgram(object, spec);
  // Plain arrays for the contract; those of reports and facts are read-only.
  if (verdict.accepted) {
    const facts = structuredClone(summariseFacts(program, verdict.facts, catalogue)) as NonNullable<Entry['facts']>;
    return { refusal: null, report: null, facts };
  }
  const report = structuredClone(reportOf(program, catalogue, verdict.refusal)) as NonNullable<Entry['report']>;
  return { refusal: verdict.refusal, report, facts: null };
}

function defaultEntry(object: ObjectSpec): string | null {
  try {
    return selectProgram(object).name;
  } catch (error) {
    if (error instanceof OptionError) return null;
    throw error;
  }
}
