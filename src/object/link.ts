import { LoadError } from '../base/errors.ts';
import type { Btf } from './btf/btf.ts';
import type { BtfExt, BtfLine } from './btf/ext.ts';
import type { CodeFunction, CodeSection } from './code.ts';
import { STB, STV } from './elf.ts';
import { sectionKind } from './section-names.ts';
import type { FunctionSpec, LineInfo, ProgramSpec } from './spec.ts';

export interface LinkInput {
  readonly code: readonly CodeSection[];
  readonly btf: Btf | null;
  readonly ext: BtfExt | null;
  /** Bound on the instructions of all linked programs together: each brings its own copy of what it calls. */
  readonly maxInstructions: number;
}

/** `.text.name` is what -ffunction-sections makes. */
const isText = (section: string): boolean => section === '.text' || section.startsWith('.text.');

/**
 * Each program with every function it reaches behind it, in the order in which a walk down its calls meets them: the
 * order of libbpf, so that a pc here is a pc there. Throws `LoadError` of stage `link`.
 */
export function linkPrograms(input: LinkInput): ProgramSpec[] {
  const info = sourceInfo(input);
  let room = input.maxInstructions;
  return entryFunctions(input.code).map((entry) => {
    const layout = reach(entry, room);
    room -= layout.slots;
    return {
      name: entry.name,
      section: entry.code.section.name,
      ...sectionKind(entry.code.section.name),
      instructions: emit(layout),
      functions: layout.order.map((one) => functionSpec(one, layout, info)),
      lines: layout.order.flatMap((one) => linesOf(one, layout.starts.get(one)!, info)),
    };
  });
}

/**
 * Functions of `.text` are there to be called, and static ones elsewhere that some function calls or points to; all
 * others are programs. A static one that nothing in the code refers to is reached through a program array: cilium's tail
 * calls are such, and cilium/ebpf loads them (libbpf refuses the whole object). Only a lone function of `.text` in an
 * object without others is a program too (libbpf).
 */
function entryFunctions(code: readonly CodeSection[]): CodeFunction[] {
  const all = code.flatMap(({ functions }) => functions);
  const referred = new Set(all.flatMap(({ references }) => references.map(({ target }) => target)));
  const programs = all.filter(
    (one) => !isText(one.code.section.name) && (one.symbol?.binding !== STB.local || !referred.has(one)),
  );
  return programs.length === 0 && all.length === 1 ? all : programs;
}

interface Layout {
  /** The program itself first. */
  readonly order: readonly CodeFunction[];
  /** pc of each function. */
  readonly starts: ReadonlyMap<CodeFunction, number>;
  readonly slots: number;
}

function reach(entry: CodeFunction, room: number): Layout {
  const starts = new Map<CodeFunction, number>();
  let slots = 0;
  const place = (one: CodeFunction) => {
    starts.set(one, slots);
    slots += one.size / 8;
    if (slots > room) {
      throw new LoadError(`with program ${entry.name} there are more instructions than allowed`, {
        stage: 'link',
        code: 'too-many-instructions',
        section: entry.code.section.name,
        offset: entry.start,
        help: 'Raise option maxInstructions to load it',
      });
    }
  };
  place(entry);
  const path = [{ one: entry, next: 0 }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const reference = top.one.references[top.next++];
    if (reference === undefined) path.pop();
    else if (!starts.has(reference.target)) {
      place(reference.target);
      path.push({ one: reference.target, next: 0 });
    }
  }
  return { order: [...starts.keys()], starts, slots };
}

function emit({ order, starts, slots }: Layout): Uint8Array {
  const instructions = new Uint8Array(slots * 8);
  const view = new DataView(instructions.buffer);
  for (const one of order) {
    const start = starts.get(one)!;
    instructions.set(one.code.bytes.subarray(one.start, one.start + one.size), start * 8);
    for (const { slot, target } of one.references) {
      const pc = start + slot;
      view.setInt32(pc * 8 + 4, starts.get(target)! - pc - 1, true);
    }
  }
  return instructions;
}

interface SourceInfo {
  readonly btf: Btf | null;
  /** BTF id of the function at a byte offset of a section, by the section's name. */
  readonly functions: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** By rising offset, one for an instruction. */
  readonly lines: ReadonlyMap<string, readonly BtfLine[]>;
}

function sourceInfo({ btf, ext }: LinkInput): SourceInfo {
  const functions = new Map(
    [...(ext?.functions ?? [])].map(([section, records]) => [
      section,
      new Map(records.map(({ offset, typeId }) => [offset, typeId])),
    ]),
  );
  const lines = new Map([...(ext?.lines ?? [])].map(([section, records]) => [section, distinctLines(records)]));
  return { btf, functions, lines };
}

/** The kernel takes one line an instruction, by rising pc: of several the last, whose code it is. */
function distinctLines(records: readonly BtfLine[]): BtfLine[] {
  const sorted = records.filter(({ offset }) => offset % 8 === 0).sort((a, b) => a.offset - b.offset);
  return sorted.filter((line, index) => sorted[index + 1]?.offset !== line.offset);
}

function functionSpec(one: CodeFunction, { starts }: Layout, info: SourceInfo): FunctionSpec {
  const section = one.code.section.name;
  const id = info.functions.get(section)?.get(one.start);
  const type = id === undefined ? undefined : info.btf?.typeById(id);
  const func = type?.kind === 'func' ? type : undefined;
  const hidden = one.symbol?.visibility === STV.hidden || one.symbol?.visibility === STV.internal;
  const binding = one.symbol?.binding === STB.local ? 'static' : 'global';
  return {
    name: one.name,
    start: starts.get(one)!,
    length: one.size / 8,
    // A hidden function is verified with its callers (libbpf makes its BTF say static).
    linkage: hidden ? 'static' : (func?.linkage ?? binding),
    section,
    btfId: func === undefined ? null : id!,
  };
}

function linesOf(one: CodeFunction, start: number, { lines }: SourceInfo): LineInfo[] {
  const all = lines.get(one.code.section.name) ?? [];
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (all[middle]!.offset < one.start) low = middle + 1;
    else high = middle;
  }
  const own: LineInfo[] = [];
  for (let index = low; index < all.length; index++) {
    const { offset, file, line, column, text } = all[index]!;
    if (offset >= one.start + one.size) break;
    own.push({ pc: start + (offset - one.start) / 8, file, line, column, text });
  }
  return own;
}
