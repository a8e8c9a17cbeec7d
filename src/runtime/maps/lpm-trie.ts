import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { copyBytes, zeroBytes } from './bytes.ts';
import { BPF_EXIST, BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE, BPF_NOEXIST, updateMode, wantsLock } from './flags.ts';
import { FreeSlots, planFreeSlots } from './free-slots.ts';
import { Layout, strideOf } from './layout.ts';
import { lpmRoutines } from './routines/lpm.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, firstRefusal, KMALLOC_MAX } from './rules.ts';
import { ValueSlots, valueBytes } from './value-slots.ts';

export const lpmTrie: MapType = {
  name: 'lpm_trie',
  id: mapTypeId('lpm_trie'),
  perCpu: false,
  threads: 'locked',
  helpers: new Set(['map_lookup_elem', 'map_update_elem', 'map_delete_elem']),
  check: (spec) =>
    firstRefusal(
      checkEntries(spec),
      (spec.flags & BPF_F_NO_PREALLOC) === 0 && 'an LPM trie must have the flag BPF_F_NO_PREALLOC',
      checkFlags(spec, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | ACCESS_FLAGS),
      (spec.keySize < 5 || spec.keySize > 260) &&
        `key_size is ${spec.keySize} and must be 5 to 260: struct bpf_lpm_trie_key and 1 to 256 bytes of data`,
      (spec.valueSize === 0 || spec.valueSize > KMALLOC_MAX - 280) &&
        `value_size is ${spec.valueSize} and must be 1 to ${KMALLOC_MAX - 280}`,
    ),
  bytes: (spec) => plan(spec, 0).end,
  create: (spec, host) => new LpmTrie(spec, host),
};

/** Words of a node: children (node + 1) for bit 0 and bit 1, prefix length, slot of its value + 1. */
const PREFIX = 2;
const SLOT = 3;
const NODE_WORDS = 4;

/**
 * Nodes branch at the first bit in which their children differ; one without a value only branches, and has both
 * children, so that n entries need fewer than 2n nodes.
 */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  // One more than entries: a replaced value keeps its bytes for who points at them, until the next takes its slot.
  const slots = spec.maxEntries + 1;
  const nodeCount = 2 * spec.maxEntries;
  const dataStride = strideOf(spec.keySize - 4);
  const values = layout.pages(valueBytes(spec, slots, 1));
  const freeSlots = planFreeSlots(layout, slots);
  const freeNodes = planFreeSlots(layout, nodeCount);
  const root = layout.words(1);
  const nodes = layout.words(nodeCount * NODE_WORDS);
  const data = layout.area(nodeCount * dataStride);
  const staging = layout.area(spec.keySize);
  return { slots, nodeCount, dataStride, values, freeSlots, freeNodes, root, nodes, data, staging, end: layout.end };
}

class LpmTrie extends BaseMap {
  readonly #values: ValueSlots;
  readonly #slots: FreeSlots;
  readonly #free: FreeSlots;
  /** Index of the word that links the root. */
  readonly #root: number;
  readonly #nodes: number;
  readonly #data: number;
  readonly #dataStride: number;
  readonly #maxPrefix: number;

  constructor(spec: MapSpec, host: MapHost) {
    const areas = plan(spec, host.start);
    super(lpmTrie, spec, host, areas.staging);
    this.#values = new ValueSlots(
      host,
      spec,
      { start: areas.values, stride: strideOf(spec.valueSize) },
      areas.slots,
      false,
    );
    host.addRegion(this.#values.region);
    this.#slots = new FreeSlots(host.memory, areas.freeSlots, areas.slots);
    this.#free = new FreeSlots(host.memory, areas.freeNodes, areas.nodeCount);
    this.#root = areas.root >>> 2;
    this.#nodes = areas.nodes >>> 2;
    this.#data = areas.data;
    this.#dataStride = areas.dataStride;
    this.#maxPrefix = (spec.keySize - 4) * 8;
  }

  get routines(): MapRoutines {
    return lpmRoutines({
      handle: this.handle,
      values: this.#values.area,
      root: this.#root * 4,
      nodes: this.#nodes * 4,
      data: this.#data,
      dataStride: this.#dataStride,
      maxPrefix: this.#maxPrefix,
    });
  }

  override lookup(key: number): number {
    const { u32 } = this.memory;
    const prefix = this.memory.view.getUint32(key, true);
    if (prefix > this.#maxPrefix) return 0;
    let found = 0;
    let link = u32[this.#root]!;
    while (link !== 0) {
      const node = this.#nodes + (link - 1) * NODE_WORDS;
      const length = u32[node + PREFIX]!;
      if (length > prefix || this.#common(link - 1, key, length) < length) break;
      found = u32[node + SLOT] || found;
      if (length === this.#maxPrefix) break;
      link = u32[node + this.#bit(key + 4, length)]!;
    }
    return found === 0 ? 0 : this.#values.at(found - 1);
  }

  override update(key: number, value: number, flags: bigint): number {
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    this.#values.set(slot, value);
    return 0;
  }

  override delete(key: number): number {
    const { u32 } = this.memory;
    const prefix = this.memory.view.getUint32(key, true);
    if (prefix > this.#maxPrefix) return -ERRNO.EINVAL;
    let above = -1; // word that links the parent
    let at = this.#root;
    let node = this.#nodeAt(at);
    while (node >= 0) {
      const length = u32[node + PREFIX]!;
      if (length > prefix || this.#common(this.#indexOf(node), key, length) < length) return -ERRNO.ENOENT;
      if (length === prefix) break;
      above = at;
      at = node + this.#bit(key + 4, length);
      node = this.#nodeAt(at);
    }
    if (node < 0 || u32[node + SLOT] === 0) return -ERRNO.ENOENT;
    this.#slots.give(u32[node + SLOT]! - 1);
    if (u32[node] !== 0 && u32[node + 1] !== 0) {
      u32[node + SLOT] = 0;
      return 0;
    }
    const child = u32[node]! || u32[node + 1]!;
    const parent = above < 0 ? -1 : this.#nodeAt(above);
    if (child === 0 && parent >= 0 && u32[parent + SLOT] === 0) {
      // The parent only branched, and would have one child: the other one takes its place.
      u32[above] = u32[at === parent ? parent + 1 : parent]!;
      this.#free.give(this.#indexOf(parent));
    } else {
      u32[at] = child;
    }
    this.#free.give(this.#indexOf(node));
    return 0;
  }

  protected override read(key: number): Uint8Array | undefined {
    const value = this.lookup(key);
    return value === 0 ? undefined : this.memory.u8.slice(value, value + this.spec.valueSize);
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!this.#values.accepts(value)) return -ERRNO.EINVAL;
    const slot = this.#place(key, flags);
    if (slot < 0) return slot;
    this.#values.userSet(slot, value);
    return 0;
  }

  /** Longer prefixes before the shorter ones that contain them, smaller addresses first. */
  *entries(): Generator<MapEntry> {
    yield* this.#below(this.#root);
  }

  clear(): void {
    this.#slots.clear();
    this.#free.clear();
    this.#values.clear();
    zeroBytes(this.memory, this.#root * 4, 4);
  }

  *#below(at: number): Generator<MapEntry> {
    const { u32 } = this.memory;
    const node = this.#nodeAt(at);
    if (node < 0) return;
    yield* this.#below(node);
    yield* this.#below(node + 1);
    const slot = u32[node + SLOT]!;
    if (slot === 0) return;
    const key = new Uint8Array(this.spec.keySize);
    new DataView(key.buffer).setUint32(0, u32[node + PREFIX]!, true);
    const data = this.#dataOf(this.#indexOf(node));
    key.set(this.memory.u8.subarray(data, data + this.spec.keySize - 4), 4);
    yield { key, value: this.#values.userGet(slot - 1, false) };
  }

  /** The slot that takes the value of an update, or a negated errno. */
  #place(key: number, flags: bigint): number {
    const { u32 } = this.memory;
    const mode = updateMode(flags);
    const prefix = this.memory.view.getUint32(key, true);
    if (mode < 0 || wantsLock(flags) || prefix > this.#maxPrefix) return -ERRNO.EINVAL;
    let at = this.#root;
    let node = this.#nodeAt(at);
    let common = 0;
    while (node >= 0) {
      const length = u32[node + PREFIX]!;
      common = this.#common(this.#indexOf(node), key, Math.min(length, prefix));
      if (common < length || length === prefix) break;
      at = node + this.#bit(key + 4, length);
      node = this.#nodeAt(at);
    }
    const exact = node >= 0 && common === prefix && u32[node + PREFIX] === prefix;
    const old = exact ? u32[node + SLOT]! : 0;
    if (old !== 0) {
      if (mode === BPF_NOEXIST) return -ERRNO.EEXIST;
    } else {
      if (mode === BPF_EXIST) return -ERRNO.ENOENT;
      if (this.#slots.taken === this.spec.maxEntries) return -ERRNO.ENOSPC;
    }
    const slot = this.#slots.take();
    if (old !== 0) this.#slots.give(old - 1);
    if (exact) {
      // The bits after the prefix are the last writer's.
      copyBytes(this.memory, key + 4, this.#dataOf(this.#indexOf(node)), this.spec.keySize - 4);
      u32[node + SLOT] = slot + 1;
      return slot;
    }
    const leaf = this.#newNode(key + 4, prefix);
    u32[leaf + SLOT] = slot + 1;
    if (node >= 0) this.#join(at, node, leaf, key + 4, common);
    else u32[at] = this.#indexOf(leaf) + 1;
    return slot;
  }

  /** Puts a new leaf beside or above a node that shares its first `common` bits only. */
  #join(at: number, node: number, leaf: number, data: number, common: number): void {
    const { u32 } = this.memory;
    const nodeLink = this.#indexOf(node) + 1;
    const nodeBit = this.#bit(this.#dataOf(nodeLink - 1), common);
    if (common === u32[leaf + PREFIX]) {
      u32[leaf + nodeBit] = nodeLink;
      u32[at] = this.#indexOf(leaf) + 1;
      return;
    }
    const branch = this.#newNode(data, common);
    u32[branch + nodeBit] = nodeLink;
    u32[branch + 1 - nodeBit] = this.#indexOf(leaf) + 1;
    u32[at] = this.#indexOf(branch) + 1;
  }

  #newNode(data: number, prefix: number): number {
    const { u32 } = this.memory;
    const index = this.#free.take();
    const node = this.#nodes + index * NODE_WORDS;
    copyBytes(this.memory, data, this.#dataOf(index), this.spec.keySize - 4);
    u32.fill(0, node, node + NODE_WORDS);
    u32[node + PREFIX] = prefix;
    return node;
  }

  /** Word index of the node that a word links, −1 for none. */
  #nodeAt(word: number): number {
    const link = this.memory.u32[word]!;
    return link === 0 ? -1 : this.#nodes + (link - 1) * NODE_WORDS;
  }

  #indexOf(node: number): number {
    return (node - this.#nodes) / NODE_WORDS;
  }

  #dataOf(index: number): number {
    return this.#data + index * this.#dataStride;
  }

  #bit(data: number, index: number): number {
    return (this.memory.u8[data + (index >>> 3)]! >>> (7 - (index & 7))) & 1;
  }

  /** How many of the first `limit` bits a node and a key have in common. */
  #common(index: number, key: number, limit: number): number {
    const { u8 } = this.memory;
    const a = this.#dataOf(index);
    const b = key + 4;
    for (let byte = 0; byte << 3 < limit; byte++) {
      const difference = u8[a + byte]! ^ u8[b + byte]!;
      if (difference !== 0) return Math.min(limit, (byte << 3) + Math.clz32(difference) - 24);
    }
    return limit;
  }
}
