import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { zeroBytes } from './bytes.ts';
import { BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_ZERO_SEED } from './flags.ts';
import { bucketsOf } from './hash-areas.ts';
import { jhash } from './jhash.ts';
import { Layout } from './layout.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, checkKeySize, firstRefusal, KMALLOC_MAX } from './rules.ts';

export const bloomFilter: MapType = {
  name: 'bloom_filter',
  id: mapTypeId('bloom_filter'),
  perCpu: false,
  threads: 'locked',
  helpers: new Set(['map_push_elem', 'map_peek_elem']),
  check: (spec) =>
    firstRefusal(
      checkKeySize(spec, 0),
      (spec.valueSize === 0 || spec.valueSize > KMALLOC_MAX) &&
        `value_size is ${spec.valueSize} and must be 1 to ${KMALLOC_MAX}`,
      checkEntries(spec),
      checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | ACCESS_FLAGS),
      spec.mapExtra > 15n && `map_extra is ${spec.mapExtra} and must be at most 15, the number of hashes`,
    ),
  bytes: (spec) => plan(spec, 0).end,
  create: (spec, host) => new BloomFilter(spec, host),
};

/** The low four bits of map_extra; 0 stands for the default. */
function hashesOf(spec: MapSpec): number {
  return Number(spec.mapExtra & 15n) || 5;
}

/** 7 bits for every 5 of entries × hashes (k / ln 2), a power of two of them, at least a machine word. */
function bitsOf(spec: MapSpec): number {
  const bits = Math.floor((spec.maxEntries * hashesOf(spec)) / 5) * 7;
  return bits > 2 ** 31 ? 2 ** 32 : bucketsOf(Math.max(bits, 64));
}

/** The bits, and room for a value of the user's. */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const bits = layout.area(bitsOf(spec) / 8);
  const staging = layout.area(spec.valueSize);
  return { bits, staging, end: layout.end };
}

/** Hashes as Linux's with BPF_F_ZERO_SEED: jhash seeded 0, 1, 2 … The user asks by giving the value as the key. */
class BloomFilter extends BaseMap {
  readonly #bits: number;
  readonly #mask: number;
  readonly #hashes: number;

  constructor(spec: MapSpec, host: MapHost) {
    const areas = plan(spec, host.start);
    super(bloomFilter, spec, host, areas.staging);
    this.#bits = areas.bits;
    this.#mask = bitsOf(spec) - 1;
    this.#hashes = hashesOf(spec);
  }

  push(value: number, flags: bigint): number {
    if (flags !== 0n) return -ERRNO.EINVAL;
    const { u8 } = this.memory;
    for (let seed = 0; seed < this.#hashes; seed++) {
      const bit = (jhash(this.memory, value, this.spec.valueSize, seed) & this.#mask) >>> 0;
      const byte = this.#bits + (bit >>> 3);
      u8[byte] = u8[byte]! | (1 << (bit & 7));
    }
    return 0;
  }

  peek(value: number): number {
    const { u8 } = this.memory;
    for (let seed = 0; seed < this.#hashes; seed++) {
      const bit = (jhash(this.memory, value, this.spec.valueSize, seed) & this.#mask) >>> 0;
      if ((u8[this.#bits + (bit >>> 3)]! & (1 << (bit & 7))) === 0) return -ERRNO.ENOENT;
    }
    return 0;
  }

  pop(_value: number): number {
    return -ERRNO.EOPNOTSUPP;
  }

  override userLookup(value: Uint8Array): Uint8Array | undefined {
    if (value.length !== this.spec.valueSize) return undefined;
    this.memory.u8.set(value, this.staging);
    return this.peek(this.staging) === 0 ? value.slice() : undefined;
  }

  override userUpdate(key: Uint8Array, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if ((this.spec.flags & BPF_F_RDONLY) !== 0) return -ERRNO.EPERM;
    if (!(value instanceof Uint8Array) || value.length !== this.spec.valueSize || key.length > 0) return -ERRNO.EINVAL;
    this.memory.u8.set(value, this.staging);
    return this.push(this.staging, flags);
  }

  protected override read(): undefined {
    return undefined;
  }

  protected override write(): number {
    return -ERRNO.EINVAL;
  }

  /** What went in cannot be told. */
  *entries(): Generator<MapEntry> {}

  clear(): void {
    zeroBytes(this.memory, this.#bits, bitsOf(this.spec) / 8);
  }
}
