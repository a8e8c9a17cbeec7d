import { LoadError } from '../base/errors.ts';
import { decode } from '../isa/codec.ts';
import type { Instruction } from '../isa/instruction.ts';
import type { FunctionSpec, KernelSymbol, LineInfo, MapSpec, ObjectSpec, ProgramSpec } from '../object/spec.ts';

/**
 * A decoded program, immutable, and all that reading it needs: the maps and kernel symbols its instructions name by
 * index, and where its functions and source lines begin. It depends on no machine and can be shared.
 */
export interface Program {
  readonly name: string;
  /** libbpf's name: `xdp`, `sched_cls` … */
  readonly type: string;
  readonly attachType: string | null;
  readonly license: string;
  readonly frags: boolean;
  readonly sleepable: boolean;
  /** Wire bytes, from which `instructions` were decoded. */
  readonly bytes: Uint8Array;
  /** By pc, in 8-byte slots; undefined in the second slot of a 64-bit immediate. */
  readonly instructions: readonly (Instruction | undefined)[];
  /** By rising `start`; the first is the program itself and starts at 0. */
  readonly functions: readonly FunctionSpec[];
  /** By rising pc. */
  readonly lines: readonly LineInfo[];
  readonly maps: readonly MapSpec[];
  readonly kernelSymbols: readonly KernelSymbol[];
  readonly btf: ObjectSpec['btf'];
}

/**
 * Decodes one program of an object. `type` overrules what the section's name says. Bytes that are no instruction do
 * not fail here (they decode as kind `invalid`, for the verifier to refuse where Linux would).
 * Throws a `LoadError` of stage `decode` when neither the section nor the caller names a type.
 */
export function decodeProgram(object: ObjectSpec, program: ProgramSpec, type?: string): Program {
  const known = type ?? program.type;
  if (known === null) {
    throw new LoadError(`the section names no program type for ${program.name}`, {
      code: 'no-program-type',
      stage: 'decode',
      section: program.section,
      help: 'Name the type, or use a section name that libbpf knows, such as "xdp" or "tc"',
    });
  }
  const instructions = decode(program.instructions);
  return {
    name: program.name,
    type: known,
    // An attach type belongs to the type that the section named.
    attachType: known === program.type ? program.attachType : null,
    license: object.license,
    frags: program.frags,
    sleepable: program.sleepable,
    bytes: program.instructions,
    instructions,
    functions: program.functions.length > 0 ? program.functions : [wholeProgram(program, instructions.length)],
    lines: program.lines,
    maps: object.maps,
    kernelSymbols: object.kernelSymbols,
    btf: object.btf,
  };
}

function wholeProgram({ name, section }: ProgramSpec, length: number): FunctionSpec {
  return { name, start: 0, length, linkage: 'global', section, btfId: null };
}

/** The source line that the instruction at `pc` came from: the last one that begins at or before it, in its function. */
export function lineAt(program: Program, pc: number): LineInfo | undefined {
  const line = lastAtOrBefore(program.lines, pc, (entry) => entry.pc);
  const start = functionAt(program, pc)?.start ?? 0;
  return line !== undefined && line.pc >= start ? line : undefined;
}

/** The function whose instructions include `pc`. */
export function functionAt(program: Program, pc: number): FunctionSpec | undefined {
  const found = lastAtOrBefore(program.functions, pc, (entry) => entry.start);
  return found !== undefined && pc < found.start + found.length ? found : undefined;
}

/** Binary search in entries that rise by `key`. */
function lastAtOrBefore<T>(entries: readonly T[], pc: number, key: (entry: T) => number): T | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(entries[middle]!) <= pc) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}
