import { LoadError } from '../base/errors.ts';
import { assembleWithLabels } from '../isa/assemble.ts';
import { decode } from '../isa/codec.ts';
import { type Instruction, slots } from '../isa/instruction.ts';
import type { Names } from '../isa/syntax.ts';
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
  /** BTF that describes the kernel's structures, when it is not `btf`. */
  readonly targetBtf?: ObjectSpec['btf'];
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
    functions: program.functions.length > 0 ? program.functions : functionsOf(instructions, program),
    lines: program.lines,
    maps: object.maps,
    kernelSymbols: object.kernelSymbols,
    btf: object.btf,
    targetBtf: object.targetBtf ?? null,
  };
}

/**
 * The functions of a program that came without a list of them: each begins where a call or a function pointer leads,
 * and ends where the next begins. That is how Linux finds them too.
 */
function functionsOf(
  instructions: Program['instructions'],
  { name, section }: { readonly name: string; readonly section: string },
  nameAt: (pc: number) => string | undefined = () => undefined,
): FunctionSpec[] {
  const starts = new Set([0]);
  for (const instruction of instructions) {
    const start = functionNamed(instruction);
    if (start !== undefined && start >= 0 && start < instructions.length) starts.add(start);
  }
  const sorted = [...starts].sort((a, b) => a - b);
  return sorted.map((start, i) => ({
    name: start === 0 ? name : (nameAt(start) ?? `function_${start}`),
    start,
    length: (sorted[i + 1] ?? instructions.length) - start,
    linkage: start === 0 ? 'global' : 'static',
    section,
    btfId: null,
  }));
}

/** pc of the function that the instruction calls, or whose address it takes. */
export function functionNamed(instruction: Instruction | undefined): number | undefined {
  if (instruction?.kind === 'call' && instruction.target.type === 'local') return instruction.target.pc;
  if (instruction?.kind === 'imm64' && instruction.value.type === 'function') return instruction.value.pc;
  return undefined;
}

/** Every pc that may come next within the function. */
export function successors({ instructions }: Pick<Program, 'instructions'>, pc: number): readonly number[] {
  const instruction = instructions[pc]!;
  const next = pc + slots(instruction);
  switch (instruction.kind) {
    case 'exit':
      return [];
    case 'goto':
      return [instruction.target];
    case 'jump':
    case 'may_goto':
      return [next, instruction.target];
    default:
      return [next];
  }
}

export interface AssemblyOptions {
  /** libbpf's name: `xdp`, `sched_cls` … */
  readonly type: string;
  readonly name?: string;
  /** Named in the text by index or name: `r1 = map[counters] ll`. */
  readonly maps?: readonly MapSpec[];
  readonly kernelSymbols?: readonly KernelSymbol[];
  /** Helpers by name, for `call bpf_redirect`. */
  readonly helper?: Names['helper'];
  readonly attachType?: string;
  /** `GPL` unless told. */
  readonly license?: string;
  readonly frags?: boolean;
  readonly sleepable?: boolean;
}

/**
 * A program from assembly text. Functions begin where calls lead and are named by their label.
 * Throws a `LoadError` of stage `assemble` with the line.
 */
export function programFromAssembly(text: string, options: AssemblyOptions): Program {
  const { maps = [], kernelSymbols = [], helper, name = 'program' } = options;
  const { bytes, labels } = assembleWithLabels(text, {
    map: (index) => maps[index]?.name,
    kfunc: (index) => kernelSymbols[index]?.name,
    ...(helper === undefined ? {} : { helper }),
  });
  const labelAt = new Map([...labels].map(([label, pc]) => [pc, label]));
  const instructions = decode(bytes);
  return {
    name,
    type: options.type,
    attachType: options.attachType ?? null,
    license: options.license ?? 'GPL',
    frags: options.frags ?? false,
    sleepable: options.sleepable ?? false,
    bytes,
    instructions,
    functions: functionsOf(instructions, { name, section: '' }, (pc) => labelAt.get(pc)),
    lines: [],
    maps,
    kernelSymbols,
    btf: null,
  };
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
