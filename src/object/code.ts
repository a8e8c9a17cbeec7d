import { LoadError } from '../base/errors.ts';
import { type Elf, type ElfSymbol, type Section, SHF_EXECINSTR, SHT, STB, STT } from './elf.ts';

/** A function as the object file has it, before linking. */
export interface CodeFunction {
  readonly name: string;
  readonly code: CodeSection;
  /** Bytes, in its section. */
  readonly start: number;
  readonly size: number;
  /** Null for code that no symbol names. */
  readonly symbol: ElfSymbol | null;
  /** Calls and pointers to other functions by rising slot; `relocate` fills them in. */
  readonly references: FunctionReference[];
}

interface FunctionReference {
  /** Of the instruction, counted from the function's start. */
  readonly slot: number;
  readonly target: CodeFunction;
}

/** A section of instructions. */
export interface CodeSection {
  readonly section: Section;
  /** A copy, which CO-RE and relocation change in place. */
  readonly bytes: Uint8Array;
  /** By rising start; none overlap. */
  readonly functions: readonly CodeFunction[];
}

function linkError(code: string, message: string, section: Section, offset: number, help?: string): LoadError {
  const detail = { stage: 'link', code, section: section.name, offset } as const;
  return new LoadError(message, help === undefined ? detail : { ...detail, help });
}

/** The sections of instructions, each with its functions. Throws `LoadError` of stage `link`. */
export function readCode(elf: Elf): CodeSection[] {
  return elf.sections
    .filter((section) => section.type === SHT.progbits && section.flags & SHF_EXECINSTR && section.size > 0)
    .map((section) => readCodeSection(section, elf.symbolsIn(section)));
}

function readCodeSection(section: Section, symbols: readonly ElfSymbol[]): CodeSection {
  if (section.size % 8 !== 0) {
    throw linkError(
      'bad-code-size',
      `${section.size} bytes are no whole number of instructions`,
      section,
      section.size,
    );
  }
  const functions: CodeFunction[] = [];
  const code = { section, bytes: section.bytes.slice(), functions };
  const entries = entryPoints(symbols);
  if (entries.length === 0) {
    // Hand-made code without a symbol: the section's name has to do.
    functions.push({ name: section.name, code, start: 0, size: section.size, symbol: null, references: [] });
    return code;
  }
  entries.forEach((symbol, index) => {
    const start = symbol.value;
    // Assembly without `.size` gives 0: the function then goes to the next one.
    const size = symbol.size || (entries[index + 1]?.value ?? section.size) - start;
    const before = functions.at(-1);
    if (before?.start === start && before.size === size) return;
    if (start % 8 !== 0 || size % 8 !== 0 || size <= 0 || start + size > section.size) {
      const where = `${size} bytes at ${start} of ${section.size}`;
      throw linkError('bad-function', `function ${symbol.name} (${where}) does not lie in its section`, section, start);
    }
    if (before !== undefined && before.start + before.size > start) {
      throw linkError('functions-overlap', `functions ${before.name} and ${symbol.name} overlap`, section, start);
    }
    functions.push({ name: symbol.name, code, start, size, symbol, references: [] });
  });
  return code;
}

/** Symbols at which functions start, by rising value; of an alias the global name first. */
function entryPoints(symbols: readonly ElfSymbol[]): ElfSymbol[] {
  const typed = symbols.filter((symbol) => symbol.type === STT.func);
  // Assembly without `.type` gives NOTYPE; local ones are labels (clang's LBB0_1).
  const entries = typed.length > 0 ? typed : symbols.filter((s) => s.type === STT.notype && s.binding !== STB.local);
  const rank = (symbol: ElfSymbol) => (symbol.binding === STB.local ? 1 : 0);
  return entries.sort((a, b) => a.value - b.value || rank(a) - rank(b) || a.index - b.index);
}

/** The function that holds byte `offset` of the section. */
export function functionAt(code: CodeSection, offset: number): CodeFunction | undefined {
  let low = 0;
  let high = code.functions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (code.functions[middle]!.start <= offset) low = middle + 1;
    else high = middle;
  }
  const candidate = code.functions[low - 1];
  return candidate !== undefined && offset < candidate.start + candidate.size ? candidate : undefined;
}
