import {
  type LoadError,
  loadObject,
  mapTypeName,
  type ObjectSpec,
  OptionError,
  selectProgram,
  verifyProgram,
} from '../index.ts';
import type { Entry, ProgramRecord } from './contract/programs.ts';

export type Found = Pick<ProgramRecord, 'license' | 'entry' | 'programs' | 'maps'>;

/** What crosses from the thread that inspects. */
export type Inspection = { readonly found: Found } | { readonly fault: LoadError['detail']; readonly message: string };

/** What an object holds and what the verifier says of it. Throws `LoadError`. */
export function inspectObject(bytes: Uint8Array): Found {
  const object = loadObject(bytes);
  return {
    license: object.license,
    entry: defaultEntry(object),
    programs: object.programs.map((spec) => entry(object, spec)),
    maps: object.maps.map(({ name, type, keySize, valueSize, maxEntries, flags }) => ({
      name,
      type: mapTypeName(type),
      keySize,
      valueSize,
      maxEntries,
      flags,
    })),
  };
}

function entry(object: ObjectSpec, spec: ObjectSpec['programs'][number]): Entry {
  const refusal = refusalOf(object, spec);
  return {
    name: spec.name,
    section: spec.section,
    type: spec.type,
    attachType: spec.attachType,
    instructions: spec.instructions.length / 8,
    functions: spec.functions.map(({ name, start, length }) => ({ name, start, length })),
    verdict: refusal === null ? 'accept' : 'reject',
    refusal,
  };
}

function refusalOf(object: ObjectSpec, spec: ObjectSpec['programs'][number]): Entry['refusal'] {
  if (spec.type === null) {
    return {
      code: 'unknown-program-type',
      pc: null,
      message: `section ${spec.section} names no program type`,
      help: 'Name one as `type` of the replay',
      line: null,
    };
  }
  const { verdict } = verifyProgram(object, spec);
  return verdict.accepted ? null : verdict.refusal;
}

function defaultEntry(object: ObjectSpec): string | null {
  try {
    return selectProgram(object).name;
  } catch (error) {
    if (error instanceof OptionError) return null;
    throw error;
  }
}
