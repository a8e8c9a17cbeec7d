import type { Memory, Region } from '../../abi/memory.ts';
import { alignUp } from '../../base/bytes.ts';
import { invariant, OptionError } from '../../base/errors.ts';

/** Regions start at multiples of this, so that a table by page tells whose an address is. */
const PAGE = 4096;
const WASM_PAGE = 65536;
/** Nothing lies below: null and small offsets from null are never mapped. */
const FIRST_ADDRESS = WASM_PAGE;

/** One line of the plan: `bytes` at `start`, aligned to a page. */
export interface Allotment {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
}

/** Where everything will lie, reckoned before the memory is made: it does not grow while a program can run. */
export class MemoryPlan {
  readonly allotments: Allotment[] = [];
  #end = FIRST_ADDRESS;
  readonly #limit: number;

  /** `limit`: bytes of memory at most, the guard page included; at most 4 GiB. */
  constructor(limit: number) {
    this.#limit = Math.min(limit, 2 ** 32);
  }

  allot(name: string, bytes: number): Allotment {
    const allotment = { name, start: this.#end, bytes };
    // An empty page behind each allotment: an overrun meets no neighbour.
    this.#end += alignUp(bytes, PAGE) + PAGE;
    if (!(this.#end <= this.#limit)) {
      throw new OptionError(
        'memory-limit',
        `${name} takes ${bytes} bytes, which brings the memory to ${this.#end} bytes; the limit is ${this.#limit}. ` +
          'Raise it with --max-memory (4 GiB at most), or make the map smaller',
      );
    }
    this.allotments.push(allotment);
    return allotment;
  }

  get bytes(): number {
    return alignUp(this.#end, WASM_PAGE);
  }
}

/** The one WebAssembly.Memory of an instance, and the regions that programs may touch in it. */
export class LinearMemory implements Memory {
  readonly wasm: WebAssembly.Memory;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly shared: Int32Array<SharedArrayBuffer> | undefined;
  readonly #regions: Region[] = [];
  /** Page → 1 + index of its region, 0 for none. */
  readonly #owner: Uint16Array;

  /** `sharing`: whether threads are to share it, or the memory of the thread that made it. */
  constructor(plan: MemoryPlan, sharing: boolean | WebAssembly.Memory = false) {
    const pages = plan.bytes / WASM_PAGE;
    this.wasm =
      typeof sharing === 'object'
        ? sharing
        : new WebAssembly.Memory({ initial: pages, maximum: pages, shared: sharing });
    invariant(this.wasm.buffer.byteLength === plan.bytes, 'threads that share a memory plan it alike');
    // Views of a SharedArrayBuffer are read and written like any other.
    const buffer = this.wasm.buffer as ArrayBuffer;
    this.shared = sharing === false ? undefined : new Int32Array(this.wasm.buffer as unknown as SharedArrayBuffer);
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.view = new DataView(buffer);
    this.#owner = new Uint16Array(plan.bytes / PAGE);
  }

  /**
   * Lets programs touch a region. Its bounds may move later within the pages of `[first, last)`, by default its own
   * bounds now: they stay the region's.
   */
  addRegion(region: Region, first = region.start, last = region.end): void {
    const index = this.#regions.push(region);
    invariant(index < 65536, 'at most 65,535 regions');
    for (let page = Math.floor(first / PAGE); page * PAGE < last; page++) {
      invariant(this.#owner[page] === 0, `${region.name} lies in a page that another region owns`);
      this.#owner[page] = index;
    }
  }

  /** The region whose bytes `address … address + size` are, when a program may touch them all. */
  regionOf(address: number, size: number): Region | undefined {
    const region = this.#regions[this.#owner[address >>> 12]! - 1];
    if (region === undefined || holds(region, address, size)) return region;
    const { beside } = region;
    return beside !== undefined && holds(beside, address, size) ? beside : undefined;
  }

  /** For messages: what lies at or around an address. */
  describe(address: number): string {
    const owner = this.regionOf(address, 1) ?? this.#regions[this.#owner[Math.floor(address / PAGE)]! - 1];
    if (address < FIRST_ADDRESS) return address === 0 ? 'null' : `null + ${address}`;
    if (owner === undefined) return `0x${address.toString(16)}, which is nobody's`;
    const end = owner.end - owner.start;
    return `${owner.name} at offset ${address - owner.start} of ${end} bytes`;
  }
}

function holds(region: Region, address: number, size: number): boolean {
  if (address < region.start || address + size > region.end) return false;
  return region.stride === 0 || ((address - region.start) % region.stride) + size <= region.size;
}
