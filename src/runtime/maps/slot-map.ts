import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { zeroBytes } from './bytes.ts';
import { Layout, strideOf, valueRegion } from './layout.ts';
import type { SlotAreas } from './routines/slots.ts';

/** Values, and per slot a word that is 0 while nothing is there. */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const values = layout.pages(spec.maxEntries * strideOf(spec.valueSize));
  const present = layout.words(spec.maxEntries);
  const staging = layout.area(8);
  return { values, present, staging, end: layout.end };
}

export function slotMapBytes(spec: MapSpec): number {
  return plan(spec, 0).end;
}

/**
 * Arrays of things that only the user puts in and takes out: interfaces, CPUs, sockets, maps, programs. Programs read
 * the values of some, of none they write any. Its entries are the slots that are taken.
 */
export abstract class SlotMap extends BaseMap {
  protected readonly values: number;
  readonly #present: number;

  constructor(type: MapType, spec: MapSpec, host: MapHost, programsRead: boolean) {
    const areas = plan(spec, host.start);
    super(type, spec, host, areas.staging);
    this.values = areas.values;
    this.#present = areas.present >>> 2;
    if (programsRead)
      host.addRegion(valueRegion(spec, this.values, this.addressOf(spec.maxEntries), strideOf(spec.valueSize), true));
  }

  /** Why a value may not go into a slot: 0 or a negated errno. */
  protected abstract refusal(index: number, value: Uint8Array, flags: bigint): number;
  /** Of deleting at an index behind the last; and of deleting where nothing is. */
  protected readonly deleteErrors: { readonly beyond: number; readonly absent: number } = {
    beyond: -ERRNO.EINVAL,
    absent: 0,
  };

  /** For generated code: how they lie. */
  protected get areas(): SlotAreas {
    const { handle, spec, values } = this;
    return {
      handle,
      entries: spec.maxEntries,
      values,
      stride: strideOf(spec.valueSize),
      present: this.#present * 4,
    };
  }

  protected has(index: number): boolean {
    return index < this.spec.maxEntries && this.memory.u32[this.#present + index] !== 0;
  }

  protected addressOf(index: number): number {
    return this.values + index * strideOf(this.spec.valueSize);
  }

  protected put(index: number, value: Uint8Array): void {
    this.memory.u8.set(value, this.addressOf(index));
    this.memory.u32[this.#present + index] = 1;
  }

  protected drop(index: number): void {
    zeroBytes(this.memory, this.addressOf(index), this.spec.valueSize);
    this.memory.u32[this.#present + index] = 0;
  }

  /** What the user reads of a slot. */
  protected shown(index: number): Uint8Array {
    return this.memory.u8.slice(this.addressOf(index), this.addressOf(index) + this.spec.valueSize);
  }

  protected override read(key: number): Uint8Array | undefined {
    const index = this.memory.view.getUint32(key, true);
    return this.has(index) ? this.shown(index) : undefined;
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!(value instanceof Uint8Array) || value.length !== this.spec.valueSize) return -ERRNO.EINVAL;
    const index = this.memory.view.getUint32(key, true);
    const error = this.refusal(index, value, flags);
    if (error === 0) this.put(index, value);
    return error;
  }

  protected override erase(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    if (index >= this.spec.maxEntries) return this.deleteErrors.beyond;
    if (!this.has(index)) return this.deleteErrors.absent;
    this.drop(index);
    return 0;
  }

  *entries(): Generator<MapEntry> {
    for (const index of this.indices()) yield { key: word(index), value: this.shown(index) };
  }

  *indices(): Generator<number> {
    for (let index = 0; index < this.spec.maxEntries; index++) if (this.has(index)) yield index;
  }

  clear(): void {
    for (const index of this.indices()) this.drop(index);
  }
}

/** 4 bytes, little-endian. */
export function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function readWord(bytes: Uint8Array, offset = 0): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
