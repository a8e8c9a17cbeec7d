import type { MapHost } from '../../abi/map.ts';
import type { Region } from '../../abi/memory.ts';
import type { MapSpec } from '../../object/spec.ts';
import { copyBytes, zeroBytes } from './bytes.ts';
import { strideOf, valueRegion } from './layout.ts';
import type { ValueArea } from './routines/values.ts';

/** Bytes of a values area (layout.ts). */
export function valueBytes(spec: MapSpec, slots: number, copies: number): number {
  return slots * copies * strideOf(spec.valueSize);
}

/** The values of a map by slot, one value a CPU in a per-CPU map. */
export class ValueSlots {
  readonly start: number;
  /** What programs may touch. */
  readonly region: Region;
  readonly #host: MapHost;
  readonly #size: number;
  readonly #stride: number;
  readonly #slots: number;
  readonly #copies: number;

  /** `place`: where the first value is, and how far each is from the next. */
  constructor(
    host: MapHost,
    spec: MapSpec,
    place: { readonly start: number; readonly stride: number },
    slots: number,
    perCpu: boolean,
  ) {
    const { start, stride } = place;
    this.start = start;
    this.#host = host;
    this.#size = spec.valueSize;
    this.#stride = stride;
    this.#slots = slots;
    this.#copies = perCpu ? host.cpus : 1;
    this.region = valueRegion(spec, start, start + slots * this.#copies * stride, stride);
  }

  /** For generated code: how values lie. */
  get area(): ValueArea {
    return { start: this.start, size: this.#size, stride: this.#stride, copies: this.#copies };
  }

  /** Address of the value as the program that runs now sees it. */
  at(slot: number): number {
    const index = this.#copies === 1 ? slot : slot * this.#copies + this.#host.current.cpu;
    return this.start + index * this.#stride;
  }

  /** Address of the value on a CPU, 0 when there is no such CPU. */
  atCpu(slot: number, cpu: number): number {
    return cpu < this.#copies ? this.start + (slot * this.#copies + cpu) * this.#stride : 0;
  }

  /** A program sets the value of its own CPU. */
  set(slot: number, from: number): void {
    copyBytes(this.#host.memory, from, this.at(slot), this.#size);
  }

  /** A program makes an entry: its own CPU's value, zero on all others. */
  setFresh(slot: number, from: number): void {
    if (this.#copies > 1) {
      const own = this.at(slot);
      // Copied first: `from` may be a value of this very slot, from before the entry was deleted.
      copyBytes(this.#host.memory, from, own, this.#size);
      for (let cpu = 0; cpu < this.#copies; cpu++) {
        const other = this.atCpu(slot, cpu);
        if (other !== own) zeroBytes(this.#host.memory, other, this.#size);
      }
    } else {
      this.set(slot, from);
    }
  }

  /** Whether the user's value has the right form: one value, or one a CPU. */
  accepts(value: Uint8Array | readonly Uint8Array[]): boolean {
    if (value instanceof Uint8Array) return value.length === this.#size;
    return value.length === this.#copies && value.every((one) => one.length === this.#size);
  }

  userSet(slot: number, value: Uint8Array | readonly Uint8Array[]): void {
    for (let cpu = 0; cpu < this.#copies; cpu++) {
      const one = value instanceof Uint8Array ? value : value[cpu]!;
      this.#host.memory.u8.set(one, this.atCpu(slot, cpu));
    }
  }

  userGet(slot: number, perCpu: boolean): Uint8Array | readonly Uint8Array[] {
    if (!perCpu) return this.#copy(this.atCpu(slot, 0));
    const values: Uint8Array[] = [];
    for (let cpu = 0; cpu < this.#copies; cpu++) values.push(this.#copy(this.atCpu(slot, cpu)));
    return values;
  }

  clear(): void {
    // Up to the end of the last value: what lies between values of a table is of no entry any more.
    const bytes = this.#slots * this.#copies * this.#stride - this.#stride + this.#size;
    zeroBytes(this.#host.memory, this.start, bytes);
  }

  #copy(address: number): Uint8Array {
    return this.#host.memory.u8.slice(address, address + this.#size);
  }
}
