import { LoadError } from '../base/errors.ts';
import { type CodeSection, functionAt } from './code.ts';
import { type Elf, type Relocation, type Section, SHN, STT } from './elf.ts';
import type { LegacyMapDefinition } from './legacy-maps.ts';
import type { MapSpec, MapValue } from './spec.ts';

/** A map on its way to being a `MapSpec`. */
export interface MapDraft {
  spec: MapSpec;
  /** Section index; −1 for `.kconfig`, which the file does not hold. */
  readonly section: number;
  /** Of its definition in the section; null where the section is the map. */
  readonly offset: number | null;
  /** Section offsets between which its initial `values` lie. */
  readonly values?: { readonly start: number; readonly end: number };
  readonly legacy?: LegacyMapDefinition;
}

const PROG_ARRAY = 3;
const POINTER = 8;

/** `values = { [3] = &inner }`: each pointer is a relocation of section `.maps`. */
export function fillValues(
  elf: Elf,
  drafts: readonly MapDraft[],
  code: readonly CodeSection[],
  definedAt: (section: number, offset: number) => number | undefined,
): void {
  const codeOf = new Map(code.map((one) => [one.section.index, one]));
  for (const [index, own] of Map.groupBy(drafts, (draft) => draft.section)) {
    const section = elf.sections[index];
    if (section?.name !== '.maps') continue;
    const found = new Map<MapDraft, MapValue[]>();
    // Drafts and relocations both rise: one walk over the two.
    let at = 0;
    for (const relocation of elf.relocations(section)) {
      while (at < own.length - 1 && own[at + 1]!.offset! <= relocation.offset) at++;
      const draft = own[at]!;
      const { values } = draft;
      const end = Math.min(values?.end ?? 0, section.size);
      if (values === undefined || relocation.offset < values.start || relocation.offset + POINTER > end) {
        throw valueError(section, relocation, 'a pointer that lies in no map’s values', 'Put it into `values`');
      }
      const target = targetOf(section, relocation, codeOf, definedAt);
      const slots = found.get(draft) ?? [];
      slots.push({ index: Math.floor((relocation.offset - values.start) / POINTER), target });
      found.set(draft, slots);
    }
    for (const [draft, values] of found) draft.spec = { ...draft.spec, values };
  }
}

function targetOf(
  section: Section,
  relocation: Relocation,
  codeOf: ReadonlyMap<number, CodeSection>,
  definedAt: (section: number, offset: number) => number | undefined,
): MapValue['target'] {
  const { symbol } = relocation;
  const { bytes } = section;
  // A static symbol is reached by its section's, with the offset in the pointer itself.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addend = symbol.type === STT.section ? view.getUint32(relocation.offset, true) : 0;
  const offset = symbol.value + addend;
  const map = definedAt(symbol.section, offset);
  if (map !== undefined) return { type: 'map', map };
  const code = codeOf.get(symbol.section);
  const program = code === undefined ? undefined : functionAt(code, offset);
  if (program?.start === offset) return { type: 'program', name: program.name };
  const what = symbol.section === SHN.undef ? 'which is not defined' : 'which is neither a map nor a program';
  throw valueError(section, relocation, `initial value ${symbol.name}, ${what}`, 'Define it in this object');
}

function valueError(section: Section, { offset }: Relocation, message: string, help: string): LoadError {
  return new LoadError(message, { stage: 'maps', code: 'bad-map-value', section: section.name, offset, help });
}

/** What iproute2 reads out of ids: templates and initial slots of a map-in-map, programs of sections `ID/INDEX`. */
export function linkLegacyMaps(drafts: readonly MapDraft[], code: readonly CodeSection[]): void {
  const legacy = drafts.flatMap((draft, map) => (draft.legacy?.id ? [{ draft, map, ...draft.legacy }] : []));
  const byId = Map.groupBy(legacy, ({ id }) => id);
  const innersOf = new Map(
    [...byId].map(([id, maps]) => [
      id,
      maps.flatMap(({ innerIndex, map }): MapValue[] =>
        innerIndex === null ? [] : [{ index: innerIndex, target: { type: 'map', map } }],
      ),
    ]),
  );
  const programs = Map.groupBy(code.flatMap(tailCallProgram), ({ id }) => id);
  for (const draft of drafts) {
    const { id = 0, innerId = 0 } = draft.legacy ?? {};
    const template = innerId === 0 ? undefined : byId.get(innerId)?.[0];
    if (template !== undefined) {
      draft.spec = { ...draft.spec, inner: template.spec, values: innersOf.get(innerId) ?? [] };
    } else if (draft.spec.type === PROG_ARRAY && id !== 0) {
      draft.spec = { ...draft.spec, values: (programs.get(id) ?? []).map(({ value }) => value) };
    }
  }
}

/** Section `42/0` holds the program for slot 0 of the map with id 42. */
function tailCallProgram({ section, functions }: CodeSection): { id: number; value: MapValue }[] {
  const match = /^(0x[0-9a-f]+|\d+)\/(0x[0-9a-f]+|\d+)$/i.exec(section.name);
  if (match === null || functions[0] === undefined) return [];
  return [
    { id: Number(match[1]), value: { index: Number(match[2]), target: { type: 'program', name: functions[0].name } } },
  ];
}
