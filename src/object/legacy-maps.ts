import { Reader } from '../base/bytes.ts';
import { LoadError } from '../base/errors.ts';
import { boundsChecked, type ElfSymbol, type Section, STT } from './elf.ts';
import { type MapSpec, PLAIN_MAP } from './spec.ts';

/**
 * Maps in section `maps`, from before BTF: a symbol for each, and at it words of 32 bits. The first five are libbpf's
 * `struct bpf_map_def` of old (the fifth, flags, may be missing); iproute2's `struct bpf_elf_map` has four more, aya's
 * definition the first two of these. Other loaders' tails mean other things and are not read.
 */
export interface LegacyMapDefinition {
  readonly spec: MapSpec;
  /** Of its symbol in the section. */
  readonly offset: number;
  /** iproute2: by this id sections `ID/INDEX` put programs, and inner maps themselves, into a map; 0 for none. */
  readonly id: number;
  /** iproute2: id of the map that is the template of this one's slots; 0 for none. */
  readonly innerId: number;
  /** iproute2: the slot of the outer map that this one goes to; null for none. */
  readonly innerIndex: number | null;
}

const SMALLEST = 16;
const AYA_SIZE = 28;
const IPROUTE2_SIZE = 36;

export const isLegacyMaps = (section: string): boolean => section === 'maps' || section.startsWith('maps/');

/** `symbols` are the section's. Throws `LoadError` of stage `maps`. */
export function readLegacyMaps(section: Section, symbols: readonly ElfSymbol[]): LegacyMapDefinition[] {
  const named = symbols
    .filter((symbol) => symbol.type !== STT.section && symbol.type !== STT.file)
    .sort((a, b) => a.value - b.value || a.index - b.index);
  const reader = new Reader(section.bytes);
  return boundsChecked('maps', section.name, () =>
    named.map((symbol, index) => readOne(reader, section, symbol, named[index + 1]?.value ?? section.size)),
  );
}

function readOne(reader: Reader, section: Section, symbol: ElfSymbol, next: number): LegacyMapDefinition {
  const at = symbol.value;
  const size = symbol.size > 0 ? Math.min(symbol.size, next - at) : next - at;
  if (size < SMALLEST) {
    throw new LoadError(`map ${symbol.name} is defined by ${size} bytes, of at least ${SMALLEST}`, {
      stage: 'maps',
      code: 'bad-map-definition',
      section: section.name,
      offset: at,
      help: 'Define maps with BTF, in section .maps',
    });
  }
  reader.check(at, size);
  const word = (index: number) => (4 * index + 4 <= size ? reader.u32(at + 4 * index) : 0);
  const iproute2 = size === IPROUTE2_SIZE;
  const tail = (index: number) => (iproute2 || size === AYA_SIZE ? word(index) : 0);
  const innerIndex = iproute2 ? word(8) : 0xffffffff;
  return {
    spec: {
      ...PLAIN_MAP,
      name: symbol.name,
      type: word(0),
      keySize: word(1),
      valueSize: word(2),
      maxEntries: word(3),
      flags: word(4),
      // iproute2 tells two directories apart (PIN_OBJECT_NS, PIN_GLOBAL_NS): both are by name.
      pinning: tail(6) === 0 ? 0 : 1,
      section: section.name,
    },
    offset: at,
    id: tail(5),
    innerId: iproute2 ? word(7) : 0,
    innerIndex: innerIndex === 0xffffffff ? null : innerIndex,
  };
}
