import { isPresent } from '../abi/catalogue.ts';
import type { Facts } from '../abi/facts.ts';
import { BPF_TAIL_CALL, helperName } from '../abi/helper-names.ts';
import type { ProgramType } from '../abi/program-type.ts';
import { LoadError, OptionError } from '../base/errors.ts';
import type { ObjectSpec, ProgramSpec } from '../object/spec.ts';
import { decodeProgram, lineAt, type Program } from '../program/program.ts';
import { verify } from '../verifier/verify.ts';
import { catalogue } from './catalogue.ts';
import { selectProgram } from './programs.ts';
import { ProgramRefused } from './refused.ts';

export interface LoadedProgram {
  readonly program: Program;
  readonly programType: ProgramType;
  /** What the verifier proved, where it was asked. */
  readonly facts: Facts | undefined;
}

/** What came of an object's programs: whoever makes many instances of it asks the verifier once. */
const loaded = new WeakMap<ObjectSpec, Map<string, LoadedProgram>>();

/**
 * A program that the verifier took (or that is to run all the same) and that has all it needs to run: a hook, and
 * helpers that are there. The same for the same object. Throws `OptionError`, `LoadError` or `ProgramRefused`.
 */
export function loadRunnable(
  object: ObjectSpec,
  wanted: string | undefined,
  mustVerify: boolean,
  type?: string,
): LoadedProgram {
  const spec = selectProgram(object, wanted);
  const known = loaded.getOrInsertComputed(object, () => new Map());
  return known.getOrInsertComputed(JSON.stringify([spec.name, mustVerify, type]), () =>
    load(object, spec, mustVerify, type),
  );
}

function load(object: ObjectSpec, spec: ProgramSpec, mustVerify: boolean, type: string | undefined): LoadedProgram {
  const program = decodeProgram(object, spec, type);
  const programType = typeOf(program);
  const facts = mustVerify ? factsOf(program) : undefined;
  for (const [pc, instruction] of program.instructions.entries()) {
    if (facts?.accesses[pc]?.some(({ kind }) => kind === 'kernel') === true) {
      cannotRun(program, pc, "reads a structure of the kernel's");
    }
    if (instruction?.kind !== 'call') continue;
    const { target } = instruction;
    if (target.type === 'helper' && catalogue.helpers.get(target.id)?.run === undefined) {
      if (target.id !== BPF_TAIL_CALL)
        cannotRun(program, pc, `calls bpf_${helperName(target.id) ?? `helper ${target.id}`}`);
    } else if (target.type === 'kfunc') {
      const symbol = program.kernelSymbols[target.btfId];
      if (isPresent(catalogue, symbol)) continue;
      // A weak one may be called only where it was found to be there.
      const isReached = facts === undefined ? symbol?.weak !== true : facts.reached[pc] === 1;
      if (isReached) cannotRun(program, pc, `calls the kernel function ${symbol?.name ?? target.btfId}`);
    }
  }
  return { program, programType, facts };
}

function typeOf({ name, type, attachType }: Program): ProgramType {
  const known = catalogue.programTypes.get(type);
  if (known !== undefined) return known.attached?.[attachType ?? ''] ?? known;
  const types = [...catalogue.programTypes.keys()].join(', ');
  throw new OptionError(
    'no-such-type',
    `program ${name} is of type ${type}, which cannot be replayed; these can: ${types}`,
  );
}

function factsOf(program: Program): Facts {
  const verdict = verify(program, catalogue);
  if (!verdict.accepted) throw new ProgramRefused(program.name, verdict.refusal);
  return verdict.facts;
}

function cannotRun(program: Program, pc: number, what: string): never {
  const line = lineAt(program, pc);
  const source = line === undefined ? '' : ` (${line.file}:${line.line})`;
  throw new LoadError(`program ${program.name} ${what} at instruction ${pc}${source}, which cannot run here yet`, {
    code: 'helper-cannot-run',
    stage: 'create',
    help: 'The verifier still judges such a program: `bpfreplay verify`',
  });
}
