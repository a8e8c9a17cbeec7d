import type { Entry, ProgramRecord } from './contract/programs.ts';
import { Problem } from './problems.ts';

/** The program of this name in an object, or the one that runs when none is named. Throws a `Problem`. */
export function findEntry({ id, entry, programs }: ProgramRecord, wanted: string | undefined): Entry {
  const name = wanted ?? entry;
  const names = programs.map((program) => program.name).join(', ');
  if (name === null) {
    const help = programs.length === 0 ? 'it has none' : `name one of them: ${names}`;
    throw new Problem('unknown-entry', `program ${id} leaves open which of its programs is meant; ${help}`);
  }
  const found = programs.find((program) => program.name === name);
  if (found !== undefined) return found;
  throw new Problem('unknown-entry', `program ${id} has no ${name}; it has ${names || 'none'}`);
}

/** The type that an assembly text was submitted as; undefined for what says itself what it is. */
export function assemblyTypeOf({ format, programs }: ProgramRecord): string | undefined {
  return format === 'assembly' ? (programs[0]?.type ?? undefined) : undefined;
}
