import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType, RingBuffer } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import { alignUp } from '../../base/bytes.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { BPF_F_NUMA_NODE } from './flags.ts';
import { Layout } from './layout.ts';
import { checkFlags, checkKeySize, checkValueSize, firstRefusal } from './rules.ts';

const PAGE = 4096;
/** BPF_RINGBUF_HDR_SZ, BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT (linux/bpf.h). */
const HEADER = 8;
const BUSY = 0x8000_0000;
const DISCARD = 0x4000_0000;
/** The longest record: a quarter of what its length word could say. */
const MAX_RECORD = 0x3fff_ffff;

export const ringbuf: MapType = {
  name: 'ringbuf',
  id: mapTypeId('ringbuf'),
  perCpu: false,
  helpers: new Set([
    'ringbuf_output',
    'ringbuf_reserve',
    'ringbuf_query',
    'ringbuf_reserve_dynptr',
    'ringbuf_submit_dynptr',
    'ringbuf_discard_dynptr',
  ]),
  check: (spec) =>
    firstRefusal(
      checkFlags(spec, BPF_F_NUMA_NODE),
      checkKeySize(spec, 0),
      checkValueSize(spec, 0),
      (spec.maxEntries < PAGE || !isPowerOfTwo(spec.maxEntries)) &&
        `max_entries is ${spec.maxEntries}, the ring's bytes, and must be a power of two of at least ${PAGE}`,
    ),
  bytes: (spec) => plan(spec, 0).end,
  create: (spec, host) => new Ring(spec, host),
};

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/**
 * Linux maps the ring's pages twice in a row, so that a record that runs over the end is in one piece. Linear memory
 * cannot do that: the second copy is memory of its own, which only the record that runs over the end reaches.
 */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const data = layout.pages(2 * spec.maxEntries);
  return { data, end: layout.end };
}

/** Positions only grow, as in Linux; a record's length word carries BUSY until it is submitted or discarded. */
class Ring extends BaseMap implements RingBuffer {
  readonly #data: number;
  #consumer = 0;
  #producer = 0;

  constructor(spec: MapSpec, host: MapHost) {
    const { data, end } = plan(spec, host.start);
    super(ringbuf, spec, host, data);
    this.#data = data;
    host.addRegion({ name: `record of map ${spec.name}`, start: data, end, writable: true, stride: 0, size: 0 });
  }

  reserve(size: number): number {
    if (size > MAX_RECORD) return 0;
    const length = alignUp(size + HEADER, 8);
    // One byte always stays free: a ring that is full to the last would look empty.
    if (this.#producer + length - this.#consumer >= this.spec.maxEntries) return 0;
    const header = this.#at(this.#producer);
    this.memory.u32[header >>> 2] = (size | BUSY) >>> 0;
    this.memory.u32[(header >>> 2) + 1] = 0;
    this.#producer += length;
    return header + HEADER;
  }

  submit(record: number): void {
    this.#end(record, 0);
  }

  discard(record: number): void {
    this.#end(record, DISCARD);
  }

  query(flags: bigint): bigint {
    switch (flags) {
      case 0n: // BPF_RB_AVAIL_DATA
        return BigInt(this.#producer - this.#consumer);
      case 1n: // BPF_RB_RING_SIZE
        return BigInt(this.spec.maxEntries);
      case 2n: // BPF_RB_CONS_POS
        return BigInt(this.#consumer);
      case 3n: // BPF_RB_PROD_POS
        return BigInt(this.#producer);
      default:
        return 0n;
    }
  }

  drain(): Uint8Array[] {
    const records: Uint8Array[] = [];
    while (this.#consumer < this.#producer) {
      const header = this.#at(this.#consumer);
      const word = this.memory.u32[header >>> 2]!;
      if ((word & BUSY) !== 0) break;
      const size = (word & ~DISCARD) >>> 0;
      if ((word & DISCARD) === 0) records.push(this.memory.u8.slice(header + HEADER, header + HEADER + size));
      this.#consumer += alignUp(size + HEADER, 8);
    }
    return records;
  }

  protected override read(): undefined {
    return undefined;
  }

  protected override write(): number {
    return -ERRNO.ENOTSUPP;
  }

  protected override erase(): number {
    return -ERRNO.ENOTSUPP;
  }

  *entries(): Generator<MapEntry> {}

  clear(): void {
    this.#consumer = 0;
    this.#producer = 0;
    this.memory.u8.fill(0, this.#data, this.#data + 2 * this.spec.maxEntries);
  }

  #at(position: number): number {
    return this.#data + (position % this.spec.maxEntries);
  }

  #end(record: number, flag: number): void {
    const word = (record - HEADER) >>> 2;
    this.memory.u32[word] = ((this.memory.u32[word]! & ~BUSY) | flag) >>> 0;
  }
}
