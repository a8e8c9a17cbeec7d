/**
 * Scripts of operations on one map, in the language of `oracle maps` (tools/kernel-oracle/maps.c): made from a seed,
 * and run on our own maps with answers in the oracle's words.
 */

import type { BpfMap } from '../../src/abi/map.ts';
import { type MapTypeName, mapTypeId } from '../../src/abi/map-types.ts';
import { alignUp, concatBytes } from '../../src/base/bytes.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { checkMap, mapTypes } from '../../src/runtime/maps/index.ts';
import { mapSpec, oneMap, type TestHost } from '../../src/runtime/maps/test-host.ts';

/** A map to exercise, and what is done with it. */
export interface Subject {
  readonly name: string;
  readonly type: MapTypeName;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly extra?: number;
  /** Different keys that occur. */
  readonly keys: number;
  /** How often each operation comes: name and weight. */
  readonly verbs: readonly (readonly [string, number])[];
  /** A value, where not any bytes will do. */
  readonly value?: (random: Random) => Uint8Array;
  /** Whether Linux can list it. */
  readonly dump: boolean;
}

const KEYED = [
  ['update', 3],
  ['prog-update', 4],
  ['lookup', 1],
  ['prog-lookup', 3],
  ['delete', 1],
  ['prog-delete', 1],
] as const;
const PER_CPU = [...KEYED, ['cpu', 1]] as const;
const USER = [
  ['update', 4],
  ['lookup', 1],
  ['delete', 1],
] as const;
const PUSHED = [
  ['update', 2],
  ['prog-push', 4],
  ['lookup', 1],
  ['prog-peek', 1],
  ['prog-pop', 3],
  ['delete', 1],
] as const;
const BLOOM = [
  ['prog-push', 1],
  ['prog-peek', 6],
] as const;

const ZERO_SEED = 0x40;
const NO_PREALLOC = 1;
const NO_COMMON_LRU = 2;

function subject(
  name: string,
  type: MapTypeName,
  sizes: readonly [key: number, value: number, entries: number],
  rest: Partial<Subject> = {},
): Subject {
  const [keySize, valueSize, maxEntries] = sizes;
  const keys = Math.max(4, Math.ceil(maxEntries * 1.5));
  return { name, type, keySize, valueSize, maxEntries, flags: 0, keys, verbs: KEYED, dump: true, ...rest };
}

/** Loopback is interface 1 everywhere; 0 takes an entry out. */
function device(size: number): (random: Random) => Uint8Array {
  return (random) => Uint8Array.from({ length: size }, (_, i) => (i === 0 ? Number(random.below(4) > 0) : 0));
}

export const SUBJECTS: readonly Subject[] = [
  subject('array', 'array', [4, 12, 8]),
  subject('array of 3-byte values', 'array', [4, 3, 5]),
  subject('percpu array', 'percpu_array', [4, 12, 8], { verbs: PER_CPU }),
  subject('hash', 'hash', [4, 8, 24], { flags: ZERO_SEED }),
  subject('hash without preallocation', 'hash', [4, 8, 24], { flags: ZERO_SEED | NO_PREALLOC }),
  subject('hash of 13-byte keys', 'hash', [13, 5, 40], { flags: ZERO_SEED }),
  subject('hash of 37-byte keys', 'hash', [37, 16, 9], { flags: ZERO_SEED }),
  subject('hash of 1-byte keys', 'hash', [1, 1, 100], { flags: ZERO_SEED }),
  subject('percpu hash', 'percpu_hash', [8, 12, 16], { flags: ZERO_SEED, verbs: PER_CPU }),
  subject('percpu hash without preallocation', 'percpu_hash', [6, 8, 16], {
    flags: ZERO_SEED | NO_PREALLOC,
    verbs: PER_CPU,
  }),
  ...[1, 2, 3, 5, 8, 64, 600].flatMap((entries) => [
    subject(`lru hash of ${entries}`, 'lru_hash', [4, 8, entries], { flags: ZERO_SEED }),
    subject(`lru hash of ${entries}, both CPUs`, 'lru_hash', [4, 8, entries], { flags: ZERO_SEED, verbs: PER_CPU }),
    subject(`lru percpu hash of ${entries}`, 'lru_percpu_hash', [4, 8, entries], { flags: ZERO_SEED, verbs: PER_CPU }),
    subject(`lru hash of ${entries}, lists per CPU`, 'lru_hash', [4, 8, entries], {
      flags: ZERO_SEED | NO_COMMON_LRU,
      verbs: PER_CPU,
    }),
  ]),
  ...[5, 8, 20, 260].map((size) =>
    subject(`lpm trie of ${size}-byte keys`, 'lpm_trie', [size, 8, 24], { flags: NO_PREALLOC, keys: 60 }),
  ),
  subject('queue', 'queue', [0, 6, 5], { verbs: PUSHED, dump: false }),
  subject('stack', 'stack', [0, 6, 5], { verbs: PUSHED, dump: false }),
  subject('bloom filter', 'bloom_filter', [0, 8, 20], { flags: ZERO_SEED, verbs: BLOOM, dump: false }),
  subject('bloom filter of 5 bytes, 3 hashes', 'bloom_filter', [0, 5, 50], {
    flags: ZERO_SEED,
    extra: 3,
    verbs: BLOOM,
    dump: false,
  }),
  subject('devmap', 'devmap', [4, 4, 4], { verbs: USER, value: device(4) }),
  subject('devmap of 8-byte values', 'devmap', [4, 8, 4], {
    verbs: [...USER, ['prog-lookup', 1]],
    value: device(8),
  }),
  subject('cpumap', 'cpumap', [4, 4, 4], {
    keys: 6,
    verbs: USER,
    // Lengths of queues: none, a good one, one too long.
    value: (random) => Uint8Array.of([0, 16, 1][random.below(3)]!, [0, 0, 0, 65][random.below(4)]!, 0, 0),
  }),
  subject('devmap hash', 'devmap_hash', [4, 8, 5], {
    verbs: [...USER, ['prog-lookup', 1]],
    value: device(8),
  }),
];

/** Lines from `create` to a last `dump`, for `cpus` that are possible, of which the first `online` can be run on. */
export function scriptOf(subject: Subject, seed: number, operations: number, cpus: number, online = cpus): string[] {
  const random = seededRandom(seed);
  const keys = Array.from({ length: subject.keys }, (_, index) => keyOf(subject, index, random));
  const weights = subject.verbs.flatMap(([verb, weight]) => Array.from({ length: weight }, () => verb));
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const perCpu = mapTypes.get(mapTypeId(subject.type))!.perCpu;
  const lines = [
    `create ${subject.type} ${subject.keySize} ${subject.valueSize} ${subject.maxEntries} ${subject.flags} ${subject.extra ?? 0}`,
  ];
  const value = (verb: string) => {
    // Of two CPUs' values each is padded to 8 bytes; the padding is not stored.
    const one = () => subject.value?.(random) ?? randomBytes(subject.valueSize, random);
    if (!perCpu || verb.startsWith('prog-')) return hex(one());
    return hex(concatBytes(Array.from({ length: cpus }, () => padded(one()))));
  };
  // Bloom filters are asked for what may be in them.
  const asked = Array.from({ length: subject.keys }, () => hex(randomBytes(subject.valueSize, random)));
  for (let i = 0; i < operations; i++) {
    const verb = pick(weights);
    const key = subject.keySize === 0 ? '-' : pick(keys);
    const flags = random.below(3) === 0 ? random.below(3) : 0;
    if (verb === 'cpu') lines.push(`cpu ${random.below(online)}`);
    else if (subject.type === 'bloom_filter') lines.push(`${verb} 0 ${pick(asked)}`);
    else if (verb === 'prog-push') lines.push(`${verb} 0 ${value(verb)} ${flags === 1 ? 0 : flags}`);
    else if (verb === 'prog-pop' || verb === 'prog-peek') lines.push(`${verb} 0`);
    else if (verb.endsWith('update')) lines.push(`${verb} 0 ${key} ${value(verb)} ${flags}`);
    else lines.push(`${verb} 0 ${key}`);
    if (subject.dump && i % 40 === 39) lines.push('dump 0');
  }
  if (subject.dump) lines.push('dump 0');
  return lines;
}

function keyOf(subject: Subject, index: number, random: Random): string {
  const key = randomBytes(subject.keySize, random);
  const view = new DataView(key.buffer);
  if (subject.type === 'lpm_trie') {
    // Prefixes that contain one another, and now and then one that is too long.
    const bits = (subject.keySize - 4) * 8;
    view.setUint32(0, random.below(random.below(8) === 0 ? bits + 2 : Math.min(bits + 1, 12)), true);
    if (random.below(2) === 0) key.fill(0, 4);
  } else if (subject.type.endsWith('array') || subject.type === 'devmap' || subject.type === 'cpumap') {
    view.setUint32(0, index, true);
  } else if (subject.type === 'devmap_hash') {
    view.setUint32(0, random.below(12), true);
  }
  return hex(key);
}

/** Questions of creation: every flag, and sizes about the borders. Lines of `create`. */
export function creations(): string[] {
  const plain: readonly (readonly [MapTypeName, key: number, value: number, entries: number, flags: number])[] = [
    ['array', 4, 8, 4, 0],
    ['percpu_array', 4, 8, 4, 0],
    ['hash', 4, 8, 4, 0],
    ['percpu_hash', 4, 8, 4, 0],
    ['lru_hash', 4, 8, 4, 0],
    ['lru_percpu_hash', 4, 8, 4, 0],
    ['lpm_trie', 8, 8, 4, NO_PREALLOC],
    ['prog_array', 4, 4, 4, 0],
    ['perf_event_array', 4, 4, 4, 0],
    ['devmap', 4, 4, 4, 0],
    ['devmap_hash', 4, 4, 4, 0],
    ['cpumap', 4, 4, 4, 0],
    ['xskmap', 4, 4, 4, 0],
    ['queue', 0, 4, 4, 0],
    ['stack', 0, 4, 4, 0],
    ['bloom_filter', 0, 4, 4, 0],
    ['ringbuf', 0, 0, 4096, 0],
  ];
  return plain.flatMap(([type, key, value, entries, flags]) => {
    const line = (k: number, v: number, n: number, f: number, extra = 0) =>
      `create ${type} ${k} ${v} ${n} ${f} ${extra}`;
    return [
      ...Array.from({ length: 19 }, (_, bit) => line(key, value, entries, flags ^ (1 << bit))),
      ...[0x18, 0x180].map((pair) => line(key, value, entries, flags | pair)),
      ...[0, 1, 4, 5, 8, 260, 261, 600].map((size) => line(size, value, entries, flags)),
      ...[0, 1, 4, 8, 12, 32768, 32769, 4194024, 4194028, 4194251, 4194252, 4194305].map((size) =>
        line(key, size, type === 'ringbuf' ? entries : 1, flags),
      ),
      ...[0, 1, 3, 64, 2048, 8192, 12288].map((count) => line(key, value, count, flags)),
      ...[1, 15, 16].map((extra) => line(key, value, entries, flags, extra)),
    ];
  });
}

/** What our own map answers, line by line. */
export function runScript(lines: readonly string[], cpus: number): string[] {
  let host: TestHost | undefined;
  let map: BpfMap | undefined;
  return lines.map((line) => {
    const words = line.split(' ');
    if (words[0] === 'create') {
      const [type, keySize, valueSize, maxEntries, flags, extra] = words.slice(1) as [MapTypeName, ...string[]];
      const spec = mapSpec(type, {
        keySize: Number(keySize),
        valueSize: Number(valueSize),
        maxEntries: Number(maxEntries),
        flags: Number(flags),
        mapExtra: BigInt(extra ?? 0),
      });
      if (checkMap(spec) !== undefined) return '{"refused":true}';
      ({ host, map } = oneMap(spec, cpus));
      return '{"result":0,"map":0}';
    }
    if (words[0] === 'cpu') {
      host!.current.cpu = Number(words[1]);
      return '{"result":0}';
    }
    return operate(host!, map!, words);
  });
}

function operate(host: TestHost, map: BpfMap, words: readonly string[]): string {
  const [verb, , first = '-', second = '-', third = '0'] = words as [string, ...string[]];
  const { valueSize } = map.spec;
  const read = (address: number) => hex(host.memory.u8.slice(address, address + valueSize));
  const userValue = () => {
    const bytes = unhex(second);
    if (!map.type.perCpu) return bytes;
    const stride = alignUp(valueSize, 8);
    return Array.from({ length: bytes.length / stride }, (_, cpu) =>
      bytes.slice(cpu * stride, cpu * stride + valueSize),
    );
  };
  switch (verb) {
    case 'update':
      return result(map.userUpdate(unhex(first), userValue(), BigInt(third)));
    case 'delete':
      return result(map.userDelete(unhex(first)));
    case 'lookup': {
      const value = map.userLookup(unhex(first));
      return value === undefined ? result(-2) : result(0, shown(value));
    }
    case 'dump':
      return JSON.stringify({ entries: [...map.entries()].map(({ key, value }) => [hex(key), shown(value)]) });
    case 'prog-lookup': {
      const address = map.lookup(host.key(unhex(first)));
      return address === 0 ? result(-2) : result(0, read(address));
    }
    case 'prog-update':
      return result(map.update(host.key(unhex(first)), host.value(unhex(second)), BigInt(third)));
    case 'prog-delete':
      return result(map.delete(host.key(unhex(first))));
    case 'prog-push':
      return result(map.push!(host.value(unhex(first)), BigInt(second === '-' ? 0 : second)));
    case 'prog-pop':
    case 'prog-peek': {
      const at = host.value(unhex(first));
      const error = verb === 'prog-pop' ? map.pop!(at) : map.peek!(at);
      return result(error, read(at));
    }
    default:
      throw new Error(`no operation ${verb}`);
  }
}

function result(code: number, value?: string): string {
  return JSON.stringify(value === undefined ? { result: code } : { result: code, value });
}

function shown(value: Uint8Array | readonly Uint8Array[]): string {
  return hex(value instanceof Uint8Array ? value : concatBytes(value.map(padded)));
}

function padded(value: Uint8Array): Uint8Array {
  const whole = new Uint8Array(alignUp(value.length, 8));
  whole.set(value);
  return whole;
}

function randomBytes(size: number, random: Random): Uint8Array {
  return Uint8Array.from({ length: size }, () => random.below(256));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unhex(text: string): Uint8Array {
  return text === '-' ? new Uint8Array(0) : new Uint8Array(Buffer.from(text, 'hex'));
}
