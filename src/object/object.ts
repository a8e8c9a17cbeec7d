import { decodeUtf8 } from '../base/bytes.ts';
import { LoadError } from '../base/errors.ts';
import { type Btf, parseBtf } from './btf/btf.ts';
import { coreRelocator } from './btf/core.ts';
import { type BtfExt, parseBtfExt } from './btf/ext.ts';
import { type CodeSection, readCode } from './code.ts';
import { type Elf, type ElfLimits, parseElf, relocationTypes, type Section, SHT } from './elf.ts';
import { readExterns } from './externs.ts';
import type { KconfigValue } from './kconfig.ts';
import { linkPrograms } from './link.ts';
import { isData, readMaps } from './maps.ts';
import { relocateCode } from './relocate.ts';
import type { ObjectSpec, RelocationRecord } from './spec.ts';

export interface LoadOptions extends Partial<ElfLimits> {
  /** A kernel's BTF to resolve CO-RE against; without it every type stays as it was compiled. */
  readonly targetBtf?: Btf;
  /** Values for `.kconfig` variables, over those of Linux 6.18: numbers, `y`, `n`, `m`, strings. */
  readonly kconfig?: Readonly<Record<string, KconfigValue>>;
  /** Instructions of all linked programs together. */
  readonly maxInstructions?: number;
}

/** Far above any object seen, far below what hurts. */
export const loadDefaults = {
  maxSize: 64 << 20,
  maxSymbols: 1 << 18,
  maxRelocations: 1 << 18,
  maxInstructions: 1 << 20,
} as const satisfies LoadOptions;

/** Reads, relocates and links an ELF64 little-endian BPF object. Throws `LoadError` and nothing else. */
export function loadObject(file: Uint8Array, options: LoadOptions = {}): ObjectSpec {
  const limits = { ...loadDefaults, ...options };
  // `slice` of a Buffer is a view: relocating what it gives would write into the caller's bytes.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const elf = parseElf(bytes, limits);
  checkDataSize(elf, limits.maxSize);
  const btfBytes = sectionBytes(elf, '.BTF');
  const extBytes = sectionBytes(elf, '.BTF.ext');
  const btf = btfBytes === undefined ? null : parseBtf(btfBytes);
  const ext = btf === null || extBytes === undefined ? null : parseBtfExt(extBytes, btf);

  const code = readCode(elf);
  const externs = readExterns(elf, btf);
  const maps = readMaps(elf, btf, code, externs, options.kconfig ?? {});
  const relocations = applyCore(code, btf, ext, options.targetBtf ?? null);
  const context = { elf, maps, externs, code: new Map(code.map((one) => [one.section.index, one])) };
  for (const one of code) for (const record of relocateCode(one, context)) relocations.push(record);
  for (const section of elf.sections) if (isData(section)) for (const one of idle(elf, section)) relocations.push(one);
  return {
    license: decodeUtf8(sectionBytes(elf, 'license') ?? new Uint8Array()).replace(/\0.*$/s, ''),
    programs: linkPrograms({ code, btf, ext, maxInstructions: limits.maxInstructions }),
    maps: maps.maps,
    btf,
    ...(options.targetBtf === undefined ? {} : { targetBtf: options.targetBtf }),
    kernelSymbols: externs.kernelSymbols,
    relocations,
  };
}

function sectionBytes(elf: Elf, name: string): Uint8Array | undefined {
  return elf.sections.find((section) => section.name === name && section.type === SHT.progbits)?.bytes;
}

/** `.bss` takes no bytes of the file, so that the file's size does not bound it. */
function checkDataSize(elf: Elf, maxSize: number): void {
  let total = 0;
  for (const section of elf.sections) {
    if (!isData(section)) continue;
    total += section.size;
    if (total > maxSize) {
      throw new LoadError(`the object's variables take more than the ${maxSize} bytes allowed`, {
        stage: 'maps',
        code: 'too-large',
        section: section.name,
        help: 'Raise option maxSize to load it',
      });
    }
  }
}

/** A pointer in a variable stays what it was: Linux maps have no address that a loader could know. */
function idle(elf: Elf, section: Section): RelocationRecord[] {
  return elf.relocations(section).map(({ offset, type, symbol }) => ({
    section: section.name,
    offset,
    type: relocationTypes[type] ?? `type ${type}`,
    symbol: symbol.name,
    resolved: 'left as it is',
  }));
}

/** CO-RE comes before linking: a relocation knows the instruction's place in its section only. */
function applyCore(
  code: readonly CodeSection[],
  btf: Btf | null,
  ext: BtfExt | null,
  target: Btf | null,
): RelocationRecord[] {
  if (btf === null || ext === null) return [];
  const relocate = coreRelocator(btf, target);
  const seen = new Set<string>();
  const records: RelocationRecord[] = [];
  for (const { section, bytes } of code) {
    if (seen.has(section.name)) continue;
    seen.add(section.name);
    for (const relocation of ext.core.get(section.name) ?? []) {
      const { offset, kind, typeId, accessString } = relocation;
      const resolved = relocate(bytes, relocation);
      const symbol = `${btf.typeById(typeId).name}:${accessString}`;
      records.push({ section: section.name, offset, type: `CO-RE ${kind}`, symbol, resolved });
    }
  }
  return records;
}
