import type { Verdict } from '../abi/verdict.ts';
import { OptionError } from '../base/errors.ts';
import type { ObjectSpec, ProgramSpec } from '../object/spec.ts';
import { decodeProgram, type Program } from '../program/program.ts';
import { OTHER_TYPES } from '../verifier/other-types.ts';
import { verify } from '../verifier/verify.ts';
import type { VerifyOptions } from '../verifier/verify-paths.ts';
import { catalogue } from './catalogue.ts';

/** The program of an object by name; without a name the only one there is, or the only one that can be replayed. */
export function selectProgram(object: ObjectSpec, name?: string): ProgramSpec {
  const { programs } = object;
  const names = programs.map((program) => program.name).join(', ');
  if (name !== undefined) {
    const found = programs.find((program) => program.name === name);
    if (found !== undefined) return found;
    throw new OptionError('no-such-program', `the object has no program ${name}; it has ${names || 'none'}`);
  }
  if (programs.length === 0) throw new OptionError('no-program', 'the object holds no program');
  const replayable = programs.filter((program) => program.type !== null && catalogue.programTypes.has(program.type));
  const only = programs.length === 1 ? programs[0] : replayable.length === 1 ? replayable[0] : undefined;
  if (only !== undefined) return only;
  throw new OptionError('which-program', `the object holds several programs: name one of ${names} (--program NAME)`);
}

/** Decodes a program and asks the verifier. Throws an `OptionError` where no rules are known for the type that is given. */
export function verifyProgram(
  object: ObjectSpec,
  spec: ProgramSpec,
  type?: string,
  options: VerifyOptions = {},
): { readonly program: Program; readonly verdict: Verdict } {
  if (type !== undefined && !catalogue.programTypes.has(type) && !Object.hasOwn(OTHER_TYPES, type)) {
    const types = [...catalogue.programTypes.keys(), ...Object.keys(OTHER_TYPES)].join(', ');
    throw new OptionError('no-such-type', `programs of type ${type} are not known here; there are: ${types}`);
  }
  const program = decodeProgram(object, spec, type);
  return { program, verdict: verify(program, catalogue, options) };
}
