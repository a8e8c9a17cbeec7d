import { LoadError } from '../base/errors.ts';
import type { Btf } from './btf/btf.ts';
import { readBtfMap } from './btf-maps.ts';
import type { CodeSection } from './code.ts';
import { type Elf, type Section, SHT, STT } from './elf.ts';
import type { Externs } from './externs.ts';
import { type KconfigLayout, type KconfigValue, layoutKconfig } from './kconfig.ts';
import { isLegacyMaps, readLegacyMaps } from './legacy-maps.ts';
import { fillValues, linkLegacyMaps, type MapDraft } from './map-values.ts';
import { type MapSpec, PLAIN_MAP } from './spec.ts';

/** linux/bpf.h: the map types and flags of which a loader must know. */
const ARRAY = 2;
const RINGBUF = 27;
const USER_RINGBUF = 31;
const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_MMAPABLE = 1 << 10;
const PAGE = 4096;

/** The object's maps and where its symbols find them. */
export interface MapTable {
  readonly maps: readonly MapSpec[];
  /** Index of the map that is defined at this byte of this section; undefined where there is none. */
  definedAt(section: number, offset: number): number | undefined;
  /** Index of the map that holds this data section. */
  ofSection(section: number): number | undefined;
  /** Index of the map of `.kconfig`, and where its variables lie in it. */
  readonly kconfig: { readonly map: number; readonly layout: KconfigLayout } | null;
}

/**
 * All maps: those of `maps` and `.maps` by rising offset, then the data sections in the file's order, then `.kconfig`.
 * A data section's map bears the section's name alone; libbpf puts the object's file name before it.
 */
export function readMaps(
  elf: Elf,
  btf: Btf | null,
  code: readonly CodeSection[],
  externs: Externs,
  kconfigValues: Readonly<Record<string, KconfigValue>>,
): MapTable {
  const drafts: MapDraft[] = [];
  for (const section of elf.sections) {
    if (section.type !== SHT.progbits) continue;
    if (isLegacyMaps(section.name)) drafts.push(...legacyDrafts(elf, section));
    else if (section.name === '.maps') drafts.push(...btfDrafts(elf, section, btf));
  }
  for (const section of elf.sections) if (isData(section)) drafts.push(dataDraft(elf, section, btf));
  const layout = externs.kconfig.length === 0 ? null : layoutKconfig(btf!, externs.kconfig, kconfigValues);
  const kconfig = layout === null ? null : { map: drafts.length, layout };
  if (layout !== null) {
    const spec = dataSpec('.kconfig', layout.data, btf, externs.kconfigId);
    const variables = externs.kconfig.map(({ id, name }) => ({ type: id, offset: layout.offsets.get(name)! }));
    drafts.push({ spec: { ...spec, variables }, section: -1, offset: null });
  }

  const places = new Map(drafts.map((draft, index) => [placeKey(draft.section, draft.offset), index]));
  const definedAt = (section: number, offset: number) => places.get(placeKey(section, offset));
  linkLegacyMaps(drafts, code);
  fillValues(elf, drafts, code, definedAt);
  return {
    maps: drafts.map(({ spec }) => (spec.type === RINGBUF || spec.type === USER_RINGBUF ? roundRing(spec) : spec)),
    definedAt,
    ofSection: (section) => places.get(placeKey(section, null)),
    kconfig,
  };
}

const placeKey = (section: number, offset: number | null) => `${section}:${offset}`;

function legacyDrafts(elf: Elf, section: Section): MapDraft[] {
  return readLegacyMaps(section, elf.symbolsIn(section)).map((legacy) => ({
    spec: legacy.spec,
    section: section.index,
    offset: legacy.offset,
    legacy,
  }));
}

function btfDrafts(elf: Elf, section: Section, btf: Btf | null): MapDraft[] {
  const symbols = elf
    .symbolsIn(section)
    .filter((symbol) => symbol.type === STT.object || (symbol.type === STT.notype && symbol.size > 0))
    .sort((a, b) => a.value - b.value);
  const id = btf?.findByName('.maps', 'datasec');
  const datasec = id === undefined ? undefined : btf!.typeById(id);
  if (btf === null || datasec?.kind !== 'datasec') {
    throw new LoadError('the maps have no BTF that says what they are', {
      stage: 'maps',
      code: 'maps-without-btf',
      section: section.name,
      help: 'Compile with -g, and strip with llvm-strip -g, which keeps BTF',
    });
  }
  // clang leaves a variable's offset in its section 0: the symbol of the same name has it. Where linking made static
  // maps of one name meet, the linker has filled the offset in.
  const variables = new Map<string, number>();
  for (const { type, offset } of datasec.variables) {
    const { name } = btf.typeById(type);
    variables.set(`${name}@${offset}`, type);
    if (!variables.has(name)) variables.set(name, type);
  }
  return symbols.map((symbol) => {
    const variable = variables.get(`${symbol.name}@${symbol.value}`) ?? variables.get(symbol.name);
    const type = variable === undefined ? undefined : btf.typeById(variable);
    if (type?.kind !== 'var') {
      throw new LoadError(`map ${symbol.name} has no variable in BTF`, {
        stage: 'maps',
        code: 'map-without-btf',
        section: section.name,
        offset: symbol.value,
        help: 'Compile with -g',
      });
    }
    const { spec, valuesOffset } = readBtfMap(btf, symbol.name, type.type);
    const draft = { spec, section: section.index, offset: symbol.value };
    if (valuesOffset === null) return draft;
    return { ...draft, values: { start: symbol.value + valuesOffset, end: symbol.value + symbol.size } };
  });
}

const DATA_SECTION = /^\.(?:data|rodata|bss)(?:\.|$)/;

export function isData(section: Section): boolean {
  return (
    (section.type === SHT.progbits || section.type === SHT.nobits) &&
    section.size > 0 &&
    DATA_SECTION.test(section.name)
  );
}

function dataDraft(elf: Elf, section: Section, btf: Btf | null): MapDraft {
  const data = section.type === SHT.nobits ? new Uint8Array(section.size) : section.bytes.slice();
  const id = btf?.findByName(section.name, 'datasec') ?? null;
  const spec = dataSpec(section.name, data, btf, id);
  const variables = variablesIn(elf, section, btf, id);
  return { spec: variables.length === 0 ? spec : { ...spec, variables }, section: section.index, offset: null };
}

/** Compilers leave the offsets in a DATASEC zero; libbpf fills them in from the symbols. */
function variablesIn(
  elf: Elf,
  section: Section,
  btf: Btf | null,
  id: number | null,
): NonNullable<MapSpec['variables']> {
  const datasec = id === null ? undefined : btf?.typeById(id);
  if (datasec?.kind !== 'datasec') return [];
  const symbols = new Map(elf.symbolsIn(section).map(({ name, value }) => [name, value]));
  return datasec.variables.flatMap(({ type }) => {
    const variable = btf!.typeById(type);
    const offset = variable.kind === 'var' ? symbols.get(variable.name) : undefined;
    return offset === undefined ? [] : [{ type, offset }];
  });
}

/** A one-element array whose element is the section, as libbpf makes it: user space may map what has global names. */
function dataSpec(section: string, data: Uint8Array, btf: Btf | null, datasecId: number | null): MapSpec {
  const readOnly = section.startsWith('.rodata') || section === '.kconfig';
  const datasec = datasecId === null ? undefined : btf?.typeById(datasecId);
  const hasGlobal =
    datasec?.kind === 'datasec' &&
    datasec.variables.some(({ type }) => {
      const variable = btf!.typeById(type);
      return variable.kind === 'var' && variable.linkage !== 'static';
    });
  return {
    ...PLAIN_MAP,
    name: section,
    type: ARRAY,
    keySize: 4,
    valueSize: data.length,
    maxEntries: 1,
    flags: (readOnly ? BPF_F_RDONLY_PROG : 0) | (hasGlobal ? BPF_F_MMAPABLE : 0),
    valueBtfId: datasecId,
    section,
    data,
  };
}

/** A ring's size is a power of two of pages (BPF_MAP_TYPE_RINGBUF): libbpf rounds up what is written, so do we. */
function roundRing(spec: MapSpec): MapSpec {
  let size = PAGE;
  while (size < spec.maxEntries) size *= 2;
  return spec.maxEntries === 0 || size > 0xffffffff ? spec : { ...spec, maxEntries: size };
}
