/** Operations on maps as generated code do to the memory what those of JavaScript do, byte for byte, whatever their order. */
import { describe, expect, it } from 'vitest';
import { mapTypeId } from '../../src/abi/map-types.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { PacketInput } from '../../src/engine/instance.ts';
import { assembleObject } from '../../src/engine/read-object.ts';
import { mapSpecOf } from '../../src/engine/testing.ts';
import { BPF_F_NO_COMMON_LRU, BPF_F_NO_PREALLOC } from '../../src/runtime/maps/flags.ts';
import { LINE } from '../../src/runtime/maps/hash-areas.ts';
import { jhash } from '../../src/runtime/maps/jhash.ts';
import { LinearMemory, MemoryPlan } from '../../src/runtime/memory/memory.ts';
import { differenceOfEngines } from './both-engines.ts';

/** Where a packet says what to do: the operation, the flags of an update, a key and a value. */
const [OPERATION, FLAGS, KEY, VALUE, LENGTH] = [14, 15, 16, 96, 160] as const;
const PACKETS = 800;

/** The operation that the packet asks for; what a lookup finds goes into the packet, and into the value a count. */
const program = (valueSize: number) => `
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r0 = r6
  r0 += ${LENGTH}
  if r0 > r2 goto end
  r7 = *(u8 *)(r6 + ${OPERATION})
  r1 = map[m] ll
  r2 = r6
  r2 += ${KEY}
  r3 = r6
  r3 += ${VALUE}
  if r7 == 0 goto update
  if r7 == 1 goto delete
  call bpf_map_lookup_elem
  if r0 == 0 goto end
  r1 = *(u8 *)(r0 + ${valueSize - 1})
  *(u8 *)(r6 + ${OPERATION}) = r1
  r1 += 1
  *(u8 *)(r0 + ${valueSize - 1}) = r1
  r0 = 7
  exit
  update:
  r4 = *(u8 *)(r6 + ${FLAGS})
  call bpf_map_update_elem
  exit
  delete:
  call bpf_map_delete_elem
  exit
  end:
  r0 = 3
  exit`;

interface Kind {
  readonly type: Parameters<typeof mapTypeId>[0];
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags?: number;
  /** Whether all keys are of neighbouring buckets, more than share a line. */
  readonly crowded?: boolean;
}

const scratch = new LinearMemory(new MemoryPlan(2 ** 20));

/** Of a table of at most 64 buckets. */
function isInFirstLine(key: Uint8Array): boolean {
  scratch.u8.set(key, 0);
  return (jhash(scratch, 0, key.length, 0) & 63) < LINE.buckets;
}

/** Keys of few different values, so that operations meet. */
function packets(seed: number, { type, keySize, maxEntries, crowded = false }: Kind, count = PACKETS): PacketInput[] {
  const random = seededRandom(seed);
  const keys = Array.from({ length: 2 * maxEntries }, (_, index) => {
    let key = Uint8Array.from({ length: keySize }, () => random.below(256));
    while (crowded && !isInFirstLine(key)) key = Uint8Array.from(key, () => random.below(256));
    if (type === 'lpm_trie') {
      // Most share their first bits; some lengths are too large.
      key.fill(0xc0, 4, 4 + random.below(keySize - 3));
      key.set([random.below((keySize - 4) * 8 + 2), random.below(50) === 0 ? 1 : 0, 0, 0]);
    } else if (type.endsWith('array')) key.set([index, 0, 0, 0]);
    return key;
  });
  return Array.from({ length: count }, () => {
    const bytes = Uint8Array.from({ length: LENGTH }, () => random.below(256));
    bytes[OPERATION] = random.below(8) < 4 ? 0 : random.below(4);
    bytes[FLAGS] = random.below(4) === 0 ? random.below(9) : 0;
    bytes.set(keys[random.below(keys.length)]!, KEY);
    return { bytes, start: 0, end: LENGTH, originalLength: LENGTH, seconds: 0, nanoseconds: 0 };
  });
}

const KINDS: readonly Kind[] = [
  { type: 'array', keySize: 4, valueSize: 13, maxEntries: 9 },
  { type: 'percpu_array', keySize: 4, valueSize: 8, maxEntries: 9 },
  { type: 'hash', keySize: 4, valueSize: 8, maxEntries: 10 },
  { type: 'hash', keySize: 13, valueSize: 3, maxEntries: 30, flags: BPF_F_NO_PREALLOC },
  { type: 'hash', keySize: 70, valueSize: 64, maxEntries: 5 },
  { type: 'hash', keySize: 4, valueSize: 8, maxEntries: 40, crowded: true },
  { type: 'lru_hash', keySize: 4, valueSize: 8, maxEntries: 30, crowded: true },
  { type: 'percpu_hash', keySize: 16, valueSize: 20, maxEntries: 12 },
  { type: 'lru_hash', keySize: 5, valueSize: 8, maxEntries: 40 },
  { type: 'lru_hash', keySize: 8, valueSize: 8, maxEntries: 300 },
  { type: 'lru_hash', keySize: 12, valueSize: 12, maxEntries: 24, flags: BPF_F_NO_COMMON_LRU },
  { type: 'lru_percpu_hash', keySize: 4, valueSize: 8, maxEntries: 40 },
  { type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 40, flags: BPF_F_NO_PREALLOC },
  { type: 'lpm_trie', keySize: 7, valueSize: 1, maxEntries: 40, flags: BPF_F_NO_PREALLOC },
  { type: 'lpm_trie', keySize: 20, valueSize: 9, maxEntries: 40, flags: BPF_F_NO_PREALLOC },
];

describe.each([1, 3])('on %i CPUs', (cpus) => {
  it.each(
    KINDS.map(
      (kind) =>
        [
          `${kind.type} of ${kind.maxEntries}, keys of ${kind.keySize}${kind.crowded ? ' that meet' : ''}`,
          kind,
        ] as const,
    ),
  )('%s', (_, kind) => {
    const { type, keySize, valueSize, maxEntries, flags = 0 } = kind;
    const maps = [mapSpecOf({ name: 'm', type: mapTypeId(type), keySize, valueSize, maxEntries, flags })];
    const object = assembleObject(program(valueSize), { type: 'xdp', maps, license: 'GPL' });
    const trial = { object, packets: packets(keySize + cpus, kind), options: { verify: true, cpus } };
    expect(differenceOfEngines(trial)).toBeUndefined();
  });
});

/** The key behind which the outer map has an inner one, if it has. */
const OUTER = 92;

const INNER: readonly Kind[] = [
  { type: 'hash', keySize: 4, valueSize: 8, maxEntries: 10 },
  { type: 'lru_hash', keySize: 8, valueSize: 4, maxEntries: 20 },
  { type: 'lpm_trie', keySize: 8, valueSize: 8, maxEntries: 40, flags: BPF_F_NO_PREALLOC },
  { type: 'array', keySize: 4, valueSize: 8, maxEntries: 9 },
  // JavaScript has what comes to these.
  { type: 'lru_hash', keySize: 4, valueSize: 8, maxEntries: 12, flags: BPF_F_NO_COMMON_LRU },
];

describe('maps in', () => {
  it.each([
    ...INNER.map((kind) => ['array_of_maps', kind.type, kind] as const),
    ['hash_of_maps', INNER[0]!.type, INNER[0]!] as const,
  ])('%s: %s', (outer, _, kind) => {
    const { type, keySize, valueSize, maxEntries, flags = 0 } = kind;
    const inner = mapSpecOf({ name: 'i', type: mapTypeId(type), keySize, valueSize, maxEntries, flags });
    const values = [0, 1, 2].map((index) => ({ index, target: { type: 'map', map: 1 + index } as const }));
    const maps = [
      mapSpecOf({ name: 'o', type: mapTypeId(outer), keySize: 4, valueSize: 4, maxEntries: 4, inner, values }),
      ...[0, 1, 2].map((index) => ({ ...inner, name: `i${index}` })),
    ];
    const text = program(valueSize).replace(
      'r1 = map[m] ll',
      `r1 = map[o] ll
       r2 = r6
       r2 += ${OUTER}
       call bpf_map_lookup_elem
       if r0 == 0 goto end
       r1 = r0`,
    );
    const object = assembleObject(text, { type: 'xdp', maps, license: 'GPL' });
    const sent = packets(keySize, kind, 200).map((packet, index) => {
      packet.bytes.set([index & 3, 0, 0, 0], OUTER);
      return packet;
    });
    expect(differenceOfEngines({ object, packets: sent, options: { verify: true } })).toBeUndefined();
  });
});
