import { ATTENTION } from '../../abi/control.ts';
import type { Redirect } from '../../abi/machine.ts';
import { loadTime } from '../../base/time.ts';
import {
  type CaptureInterface,
  type Delivery,
  emptyFrame,
  type Frame,
  type RecordLayout,
  type RecordTaker,
} from '../../capture/frame.ts';
import { LINKTYPE } from '../../capture/link-types.ts';
import { SIZE_RANGES } from '../../capture/summary.ts';
import type { Instance, PacketResult } from '../../engine/instance.ts';
import type { NativeEntry } from '../../engine/native.ts';
import { CELL_BYTES, Counters, MOST_CELLS } from '../counters.ts';
import { verdictType } from '../output.ts';
import { redirectTarget } from '../records.ts';
import type { FlowShare } from '../steering.ts';
import { fillHashTable, HASH_TABLE_BYTES } from './flow-hash.ts';
import {
  BLOCK,
  BLOCK_BYTES,
  CELLS,
  CODES,
  FIRST_CODE,
  FRAMES,
  HASHES,
  INTERFACE,
  INTERFACES,
  LAST_SIZE,
  LINES,
  MEMORY_PAGES,
  MOST_INTERFACES,
  PROTOCOLS,
  RECORDING_PAGES,
  REDIRECT,
  REDIRECT_PLACES,
  REDIRECTS,
  SIZES,
  STATE,
  VERDICTS,
} from './layout.ts';
import type { RecordShape } from './records.ts';
import { fillRow, fillTables } from './tables.ts';
import { type LoopSettings, MACHINE, OWN, writeLoop } from './write.ts';

/** Who counts, and says how far the loop may go. */
export interface LoopHost {
  /**
   * Counts a packet that ran and is not one of many like it; whether the replay ends behind it. `protocol` is that of the
   * frame as it came: the program may have run where it lies.
   */
  ran(frame: Frame, result: PacketResult, protocol: number): boolean;
  /** Packets, and captured bytes, before which the loop is to stop; at most 2^32 − 1 of each. */
  limits(): { readonly packets: number; readonly bytes: number };
  /** Whether every packet is to be told to `ran`. */
  readonly wantsAll: boolean;
  /** Take the records of packets that `ran` was not told of: lines of JSON, and blocks of pcapng. */
  readonly lines: ((bytes: Uint8Array) => void) | undefined;
  readonly frames: ((bytes: Uint8Array) => void) | undefined;
}

/** All times there are. */
const FOREVER = { from: -(2n ** 63n), span: 2n ** 64n - 1n };
const SECOND = 1_000_000_000n;
/** Times of pcapng are counted in units of 10^-0 … 10^-9 seconds, and moved by seconds of 32 bits, or JavaScript reads them. */
const FINEST = 9;
const LARGEST_OFFSET = 2 ** 31;

type LoopFunction = (at: number, end: number) => number;

/**
 * The replay's inner loop in WebAssembly: reads records, enters packets, runs the program and counts what became of
 * them, as `Replay` does one by one. What is out of the ordinary it leaves to JavaScript and goes on behind it.
 */
export class PacketLoop implements RecordTaker {
  /** Bytes of a capture that lie here are looked at by the loop. */
  readonly block: Uint8Array<ArrayBuffer>;
  counters: Counters;
  readonly #instance: Instance;
  readonly #entry: NativeEntry;
  #host: LoopHost;
  readonly #memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #settings: LoopSettings;
  /** Writes the lines of packets that wait. */
  #flush: () => void = () => {};
  readonly #view: DataView;
  readonly #words: Uint32Array;
  readonly #longs: BigInt64Array;
  readonly #loops = new Map<string, LoopFunction>();
  readonly #machineWords: Uint32Array;
  /** Index of the clock's word. */
  readonly #now: number;
  readonly #frame = emptyFrame();
  /** The section whose interfaces are in the table. */
  #section = { start: -1, length: 0 };
  #stopped = false;
  /** Index in the capture of the packet with which the loop began, and how far it might go. */
  #first = 0;
  #limits = { packets: 0, bytes: 0 };

  /** Undefined where the instance's packets are not run by generated code. */
  static of(instance: Instance, host: LoopHost, share?: FlowShare): PacketLoop | undefined {
    const entry = instance.native;
    return entry === undefined ? undefined : new PacketLoop(instance, entry, host, share);
  }

  private constructor(instance: Instance, entry: NativeEntry, host: LoopHost, share: FlowShare | undefined) {
    this.#instance = instance;
    this.#entry = entry;
    this.#host = host;
    const recorded = { lines: host.lines !== undefined, frames: host.frames !== undefined };
    const pages = recorded.lines || recorded.frames ? RECORDING_PAGES : MEMORY_PAGES;
    // Who wants to see every packet wants to see it as it came.
    const inPlace = entry.inPlace && entry.block !== undefined && !host.wantsAll;
    this.#settings = { cpus: instance.cpus, share, recorded, pages, inPlace };
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#machineWords = instance.memory.u32;
    this.#now = entry.slot('now') / 4;
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.#view = new DataView(buffer);
    this.#words = new Uint32Array(buffer);
    this.#longs = new BigInt64Array(buffer, 0, STATE.end / 8);
    this.#bytes = new Uint8Array(buffer);
    this.#frame.bytes = entry.block === undefined ? this.#bytes : instance.memory.u8;
    this.#frame.linkType = LINKTYPE.ETHERNET;
    this.block = new Uint8Array(this.#frame.bytes.buffer as ArrayBuffer, entry.block ?? BLOCK, BLOCK_BYTES);
    if (instance.cpus > 1) fillHashTable(new Uint32Array(buffer, HASHES, HASH_TABLE_BYTES / 4));
    for (const [range, from] of SIZE_RANGES.entries()) this.#bytes.fill(range, SIZES + from, SIZES + LAST_SIZE + 1);
    this.counters = this.#begin();
  }

  /**
   * Begins another capture for a host that wants what the one before wanted. What was counted is gone: whoever asked
   * this loop before must not do so any more.
   */
  renew(host: LoopHost): this {
    this.#host = host;
    this.#section = { start: -1, length: 0 };
    this.#stopped = false;
    this.#first = 0;
    this.#limits = { packets: 0, bytes: 0 };
    this.#bytes.fill(0, 0, HASHES);
    this.counters = this.#begin();
    return this;
  }

  #begin(): Counters {
    if (this.#settings.pages === RECORDING_PAGES) fillTables(this.#bytes, this.#view);
    this.window(FOREVER.from, FOREVER.span);
    return new Counters(new Float64Array(this.#bytes.buffer, CELLS, 2 * MOST_CELLS));
  }

  /** Only packets of these capture times are taken: `span` nanoseconds from `from` on. */
  window(from: bigint, span: bigint): void {
    this.#longs[STATE.from / 8] = from;
    this.#longs[STATE.span / 8] = BigInt.asIntN(64, span);
  }

  take(bytes: Uint8Array, at: number, end: number, layout: RecordLayout, delivery: Delivery): number {
    // The first packet of a capture is run by JavaScript, which notes when it was captured.
    if (delivery.packets === 0) return at;
    if (bytes.buffer !== this.block.buffer || !this.#clockRuns || !this.#describe(layout)) return at;
    const loop = this.#loopFor(layout);
    const origin = bytes.byteOffset;
    let position = origin + at;
    const before = delivery.packets;
    // Whoever ran packets since may have left them otherwise than the loop would.
    this.#machineWords[this.#entry.slot('packetMoved') / 4] = 1;
    for (let goesOn = true; goesOn; ) {
      this.#first = delivery.packets;
      this.#limits = this.#host.limits();
      this.#words[STATE.packets / 4] = this.#limits.packets;
      this.#words[STATE.bytes / 4] = this.#limits.bytes;
      this.#longs[STATE.lastIndex / 8] = BigInt(this.#first + this.#limits.packets - 1);
      try {
        position = loop(position, origin + end);
        goesOn = false;
      } catch (error) {
        position = this.#words[STATE.next / 4]!;
        this.#tell(this.#instance.failed(error));
        goesOn = !this.#stopped;
      }
      delivery.packets = this.#index + 1;
    }
    delivery.stopped = this.#stopped;
    if (delivery.packets > before) loadTime(this.#machineWords, this.#now, delivery.frame);
    return position - origin;
  }

  /** The last packet that was taken; its index is −1 where there was none. */
  get last(): { readonly index: number; readonly seconds: number; readonly nanoseconds: number } {
    const time = { index: this.#index, seconds: 0, nanoseconds: 0 };
    loadTime(this.#machineWords, this.#now, time);
    return time;
  }

  /** The clock starts with the first packet, which is run by JavaScript. */
  get #clockRuns(): boolean {
    return this.#machineWords[this.#entry.slot('clockStarted') / 4] !== 0;
  }

  /** Index in the capture of the packet that runs, or ran last. */
  get #index(): number {
    return this.#first + this.#limits.packets - this.#words[STATE.packets / 4]! - 1;
  }

  /** Hands over what was recorded so far: called before `ran` records a packet itself. */
  flush(): void {
    this.#flush();
    this.#drain();
  }

  #drain(): void {
    const { lines, frames } = this.#host;
    const take = (sink: typeof lines, first: number, end: number) => {
      if (this.#words[end / 4]! > first) sink?.(this.#bytes.subarray(first, this.#words[end / 4]!));
      this.#words[end / 4] = first;
    };
    if (lines !== undefined) take(lines, LINES, STATE.lines);
    if (frames !== undefined) take(frames, FRAMES, STATE.frames);
  }

  #tell(result: PacketResult): void {
    const frame = this.#frame;
    frame.index = this.#index;
    frame.start = this.#words[STATE.start / 4]!;
    frame.end = frame.start + this.#words[STATE.captured / 4]!;
    frame.originalLength = this.#words[STATE.original / 4]!;
    const interfaceAt = INTERFACES + this.#words[STATE.interfaceNumber / 4]! * INTERFACE.bytes;
    frame.interfaceId = this.#view.getUint32(interfaceAt + INTERFACE.id, true);
    loadTime(this.#machineWords, this.#now, frame);
    const protocol = this.#words[STATE.protocol / 4]!;
    if (this.#host.ran(frame, result, protocol)) this.#stopped = true;
    if (result.error === null && !this.#host.wantsAll) this.#learn(frame, protocol, result);
  }

  /** The next packets with this verdict, protocol and interface are counted by the loop. */
  #learn({ interfaceId }: Frame, protocol: number, { retval, verdict }: PacketResult): void {
    let place = (retval | 0) - FIRST_CODE;
    if (place < 0 || place >= CODES) {
      place = CODES;
      // Those that wait may have the code that had the place.
      this.flush();
      this.#words[STATE.otherCode / 4] = retval;
    }
    const { verdicts, protocols, interfaces } = this.counters;
    const isRecorded = this.#settings.pages === RECORDING_PAGES;
    const row = { type: verdictType(this.#instance), verdict, retval };
    if (isRecorded && !fillRow(this.#bytes, this.#view, place, row)) return;
    const view = this.#view;
    view.setUint16(VERDICTS + 2 * place, CELL_BYTES * verdicts.cell(verdict), true);
    view.setUint16(PROTOCOLS + 2 * protocol, CELL_BYTES * protocols.cell(protocol), true);
    const interfaceAt = INTERFACES + this.#words[STATE.interfaceNumber / 4]! * INTERFACE.bytes;
    view.setUint32(interfaceAt + INTERFACE.cell, CELL_BYTES * interfaces.cell(interfaceId), true);
  }

  /** The next packets that the words of the control block send there are counted by the loop. */
  #learnRedirect(redirect: Redirect): void {
    const word = (name: Parameters<NativeEntry['slot']>[0]) => this.#machineWords[this.#entry.slot(name) / 4]!;
    const [key, target] = [word('redirectKey'), word('redirectTarget')];
    const at = REDIRECTS + ((key ^ target) & (REDIRECT_PLACES - 1)) * REDIRECT.bytes;
    const put = (field: keyof typeof REDIRECT, value: number) =>
      this.#view.setUint32(at + REDIRECT[field], value, true);
    put('kind', word('redirectKind'));
    put('map', word('redirectMap'));
    put('key', key);
    put('target', target);
    put('flags', word('redirectFlags'));
    this.#view.setUint32(at + REDIRECT.flags + 4, this.#machineWords[this.#entry.slot('redirectFlags') / 4 + 1]!, true);
    put('cell', CELL_BYTES * this.counters.redirects.cell(redirectTarget(redirect)));
  }

  /** Puts the interfaces of a pcapng section in the table; false where the loop can take no packet of the capture. */
  #describe({ format, interfaces, sectionStart }: RecordLayout): boolean {
    if (format === 'pcap') return isEthernet(interfaces[0]!);
    const { start, length } = this.#section;
    if (start === sectionStart && length === interfaces.length) return length > sectionStart;
    for (let id = start === sectionStart ? length : sectionStart; id < interfaces.length; id++) {
      const number = id - sectionStart;
      if (number >= MOST_INTERFACES) break;
      this.#describeInterface(number, id, interfaces[id]!);
    }
    this.#section = { start: sectionStart, length: interfaces.length };
    this.#words[STATE.interfaces / 4] = Math.min(MOST_INTERFACES, interfaces.length - sectionStart);
    return interfaces.length > sectionStart;
  }

  #describeInterface(number: number, id: number, described: CaptureInterface): void {
    const at = INTERFACES + number * INTERFACE.bytes;
    const [base, exponent] = described.resolution.split('^-').map(Number) as [number, number];
    const { timeOffset } = described;
    const isUsable =
      isEthernet(described) && base === 10 && exponent <= FINEST && Math.abs(timeOffset) < LARGEST_OFFSET;
    const nanoseconds = isUsable ? 10n ** BigInt(FINEST - exponent) : 0n;
    const offset = isUsable ? BigInt(timeOffset) * SECOND : 0n;
    const view = this.#view;
    view.setUint32(at + INTERFACE.usable, Number(isUsable), true);
    view.setUint32(at + INTERFACE.id, id, true);
    view.setUint32(at + INTERFACE.cell, CELL_BYTES * this.counters.interfaces.cell(id), true);
    view.setBigInt64(at + INTERFACE.nanoseconds, nanoseconds, true);
    view.setBigInt64(at + INTERFACE.offset, offset, true);
    const most = isUsable ? (2n ** 62n - (offset > 0n ? offset : 0n)) / nanoseconds : 0n;
    view.setBigInt64(at + INTERFACE.most, most, true);
  }

  #loopFor({ format, littleEndian, interfaces }: RecordLayout): LoopFunction {
    const nanosecondsPerUnit = format === 'pcap' && interfaces[0]!.resolution === '10^-6' ? 1000 : 1;
    const memory = this.#entry.block === undefined ? OWN : MACHINE;
    const shape: RecordShape = { format, littleEndian, nanosecondsPerUnit, memory };
    const key = JSON.stringify(shape);
    let loop = this.#loops.get(key);
    if (loop === undefined) this.#loops.set(key, (loop = this.#make(shape)));
    return loop;
  }

  #make(shape: RecordShape): LoopFunction {
    const module = new WebAssembly.Module(writeLoop(this.#entry, shape, this.#settings));
    const instance = new WebAssembly.Instance(module, {
      e: {
        own: this.#memory,
        machine: this.#entry.memory,
        run: this.#entry.run,
        settle: (retval: number) => {
          const attention = this.#machineWords[this.#entry.slot('attention') / 4]!;
          const result = this.#instance.completed(retval >>> 0);
          this.#tell(result);
          if (attention === ATTENTION.redirect && result.redirect !== null) this.#learnRedirect(result.redirect);
          return Number(this.#stopped);
        },
        drain: () => this.#drain(),
      },
    });
    const { loop, flush } = instance.exports as { loop: LoopFunction; flush?: () => void };
    if (flush !== undefined) this.#flush = flush;
    return loop;
  }
}

function isEthernet({ linkType, fcsLength }: CaptureInterface): boolean {
  return linkType === LINKTYPE.ETHERNET && fcsLength === 0;
}
