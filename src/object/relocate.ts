import { LoadError } from '../base/errors.ts';
import { type CodeFunction, type CodeSection, functionAt } from './code.ts';
import { type Elf, type ElfSymbol, type Relocation, relocationTypes, type Section, SHN, STT } from './elf.ts';
import type { Externs } from './externs.ts';
import type { MapTable } from './maps.ts';
import type { RelocationRecord } from './spec.ts';

/**
 * Relocation of instructions (Documentation/bpf/llvm_reloc.rst). What an instruction becomes depends on where its
 * symbol lies, not on the relocation's number: before LLVM 13 there were two numbers only. The addend is in `imm`.
 */
const LD_IMM64 = 0x18;
const CALL = 0x85;
/** `src_reg` of LD_IMM64 and of CALL: BPF_PSEUDO_* of linux/bpf.h. */
const PSEUDO = { mapFd: 1, mapValue: 2, btfId: 3, func: 4, mapIdx: 5, mapIdxValue: 6 } as const;
const PSEUDO_CALL = { local: 1, kfunc: 2 } as const;

export interface RelocationContext {
  readonly elf: Elf;
  readonly maps: MapTable;
  readonly externs: Externs;
  /** Sections of instructions by section index. */
  readonly code: ReadonlyMap<number, CodeSection>;
}

/** One instruction to relocate. */
class Site {
  readonly code: CodeSection;
  readonly owner: CodeFunction;
  readonly offset: number;
  readonly #view: DataView;

  constructor(code: CodeSection, owner: CodeFunction, offset: number, view: DataView) {
    this.code = code;
    this.owner = owner;
    this.offset = offset;
    this.#view = view;
  }

  get opcode(): number {
    return this.#view.getUint8(this.offset);
  }
  get source(): number {
    return this.#view.getUint8(this.offset + 1) >> 4;
  }
  set source(register: number) {
    this.#view.setUint8(this.offset + 1, (this.#view.getUint8(this.offset + 1) & 0x0f) | (register << 4));
  }
  get imm(): number {
    return this.#view.getInt32(this.offset + 4, true);
  }
  set imm(value: number) {
    this.#view.setInt32(this.offset + 4, value, true);
  }
  /** The upper half of a 64-bit immediate. */
  set high(value: number) {
    this.#view.setInt32(this.offset + 12, value, true);
  }

  error(code: string, message: string, help?: string): LoadError {
    const detail = { stage: 'relocate', code, section: this.code.section.name, offset: this.offset } as const;
    return new LoadError(
      `${message}, in function ${this.owner.name}`,
      help === undefined ? detail : { ...detail, help },
    );
  }
}

/** Relocates a section's instructions in place and finds what its functions call. */
export function relocateCode(code: CodeSection, context: RelocationContext): RelocationRecord[] {
  const view = new DataView(code.bytes.buffer, code.bytes.byteOffset, code.bytes.byteLength);
  const records: RelocationRecord[] = [];
  // Bodies of weak functions that others replaced: bpftool's linker leaves them, with their relocations, without a symbol.
  const relocations = context.elf.relocations(code.section).filter(({ offset }) => isCodeOfAFunction(code, offset));
  let next = 0;
  for (const owner of code.functions) {
    const end = owner.start + owner.size;
    for (let at = owner.start; at < end; ) {
      while (next < relocations.length && relocations[next]!.offset < at) strayRelocation(code, relocations[next]!);
      const site = new Site(code, owner, at, view);
      const wide = site.opcode === LD_IMM64;
      if (wide && at + 16 > end) throw site.error('cut-instruction', 'a 64-bit immediate is cut off by the end');
      const relocation = relocations[next];
      if (relocation?.offset === at) {
        next++;
        const resolved = wide
          ? relocateImmediate(site, relocation.symbol, context)
          : relocateCall(site, relocation, context);
        records.push({
          section: code.section.name,
          offset: at,
          type: relocationTypes[relocation.type] ?? `type ${relocation.type}`,
          symbol: relocation.symbol.name,
          resolved,
        });
      } else {
        keepUnrelocated(site, wide);
      }
      at += wide ? 16 : 8;
    }
  }
  if (relocations[next] !== undefined) strayRelocation(code, relocations[next]!);
  return records;
}

/** Outside the section counts as in it: that is a fault, which is told. */
const isCodeOfAFunction = (code: CodeSection, offset: number): boolean =>
  offset >= code.section.size || functionAt(code, offset) !== undefined;

function strayRelocation(code: CodeSection, { offset, symbol }: Relocation): never {
  throw new LoadError(`a relocation to ${symbol.name} is at no instruction, or there are two`, {
    stage: 'relocate',
    code: 'stray-relocation',
    section: code.section.name,
    offset,
  });
}

/** `rN = symbol ll`. Returns in words what it became. */
function relocateImmediate(site: Site, symbol: ElfSymbol, context: RelocationContext): string {
  const { maps } = context;
  if (symbol.section === SHN.undef) return relocateExtern(site, symbol, context);
  const offset = symbol.value + site.imm;
  const code = context.code.get(symbol.section);
  if (code !== undefined) {
    site.source = PSEUDO.func;
    site.high = 0;
    return `pointer to ${refer(site, code, offset, symbol)}`;
  }
  const map = maps.definedAt(symbol.section, offset);
  if (map !== undefined) {
    site.source = PSEUDO.mapFd;
    site.imm = map;
    site.high = 0;
    return `map ${map}`;
  }
  const data = maps.ofSection(symbol.section);
  if (data !== undefined) return toMapValue(site, data, offset, maps);
  throw misplaced(site, symbol, context.elf.sections[symbol.section], offset);
}

function toMapValue(site: Site, map: number, offset: number, maps: MapTable): string {
  site.source = PSEUDO.mapValue;
  site.imm = map;
  site.high = offset;
  return `${maps.maps[map]!.name}+${offset}`;
}

function relocateExtern(site: Site, symbol: ElfSymbol, { maps, externs }: RelocationContext): string {
  const config = maps.kconfig?.layout.offsets.get(symbol.name);
  if (config !== undefined) return toMapValue(site, maps.kconfig!.map, config + site.imm, maps);
  const index = externs.kernelSymbolIndex.get(symbol.name);
  if (index === undefined) throw unresolved(site, symbol);
  // Also a kfunc: `if (kfunc)` asks whether the kernel has it.
  site.source = PSEUDO.btfId;
  site.imm = index;
  site.high = 0;
  return `kernel ${externs.kernelSymbols[index]!.kind} ${symbol.name}`;
}

/** `call symbol`. Returns in words what it became. */
function relocateCall(site: Site, { symbol, type }: Relocation, context: RelocationContext): string {
  if (site.opcode !== CALL) {
    throw site.error(
      'bad-relocation',
      `${relocationTypes[type] ?? `relocation ${type}`} to ${symbol.name} at an instruction that takes none`,
      'Only 64-bit immediates and calls take a symbol',
    );
  }
  if (symbol.section === SHN.undef) {
    const index = context.externs.kernelSymbolIndex.get(symbol.name);
    if (index === undefined) throw unresolved(site, symbol);
    site.source = PSEUDO_CALL.kfunc;
    site.imm = index;
    return `kernel kfunc ${symbol.name}`;
  }
  const code = context.code.get(symbol.section);
  // A call counts instructions from the one after it: −1 is the symbol itself.
  const offset = symbol.value + (site.imm + 1) * 8;
  if (code === undefined) throw misplaced(site, symbol, context.elf.sections[symbol.section], offset);
  site.source = PSEUDO_CALL.local;
  return `call ${refer(site, code, offset, symbol)}`;
}

/** Notes that the instruction refers to the function at `offset` of `code`; the linker puts the distance in. */
function refer(site: Site, code: CodeSection, offset: number, symbol: ElfSymbol | null): string {
  const target = functionAt(code, offset);
  if (target === site.owner) {
    // Also to its middle, as assembly may: the distance stays the same wherever the function comes to lie.
    site.imm = (offset - site.offset) / 8 - 1;
  } else if (target?.start === offset) {
    site.owner.references.push({ slot: (site.offset - site.owner.start) / 8, target });
  } else {
    const where = `byte ${offset} of section ${code.section.name}`;
    throw site.error('not-a-function', `${symbol?.name ?? 'a call'} means ${where}, where no function starts`);
  }
  return target.name;
}

/** An instruction without relocation: a local call that the compiler resolved itself, or nothing to do with us. */
function keepUnrelocated(site: Site, wide: boolean): void {
  const { source } = site;
  if (wide ? source === PSEUDO.func : site.opcode === CALL && source === PSEUDO_CALL.local) {
    refer(site, site.code, site.offset + (site.imm + 1) * 8, null);
  } else if (
    wide ? source !== 0 && source <= PSEUDO.mapIdxValue : site.opcode === CALL && source === PSEUDO_CALL.kfunc
  ) {
    // It names a file descriptor or BTF id of the machine it was made on; no index into our tables may match it.
    site.imm = -1;
  }
}

function unresolved(site: Site, symbol: ElfSymbol): LoadError {
  return site.error(
    'unresolved-symbol',
    `${symbol.name} is used and not defined`,
    'Define it in this object, link the object that has it (bpftool gen object), or declare it __ksym or __kconfig and compile with -g',
  );
}

function misplaced(site: Site, symbol: ElfSymbol, section: Section | undefined, offset: number): LoadError {
  const name = symbol.type === STT.section ? `byte ${offset}` : symbol.name;
  if (symbol.section === SHN.common) {
    return site.error('common-symbol', `${name} is a common symbol`, 'Compile with -fno-common, or give it a value');
  }
  const place = section === undefined ? 'no section' : `section ${section.name}`;
  return site.error(
    'unsupported-section',
    `${name} lies in ${place}, which becomes no map`,
    'Variables go to .data, .rodata and .bss, and their like with a dot and a name after; maps to .maps',
  );
}
