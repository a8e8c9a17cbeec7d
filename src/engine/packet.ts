import { SLOTS } from '../abi/control.ts';
import type { Region } from '../abi/memory.ts';
import type { Packet, SkbState } from '../abi/packet.ts';

/** One word each of the control block, by field. */
export const EDGES = {
  head: SLOTS.packetHead,
  meta: SLOTS.packetStart,
  data: SLOTS.packetData,
  linearEnd: SLOTS.packetEnd,
  end: SLOTS.packetBytesEnd,
  limit: SLOTS.packetLimit,
} as const;
const REGION = { start: SLOTS.packetStart, end: SLOTS.packetEnd } as const;
const FRAGMENTS = { start: SLOTS.packetEnd, end: SLOTS.packetBytesEnd } as const;
export const SKB = {
  head: SLOTS.skbHead,
  macHeader: SLOTS.macHeader,
  networkHeader: SLOTS.networkHeader,
  macLength: SLOTS.macLength,
  transportHeader: SLOTS.transportHeader,
  ipSummed: SLOTS.ipSummed,
  csumLevel: SLOTS.csumLevel,
  gsoType: SLOTS.gsoType,
} as const;

/** Words that are 0 or not: whether it is so, or whether there is one. */
export const SKB_FLAGS = {
  encapsulation: SLOTS.encapsulation,
  hashIsValid: SLOTS.hashIsValid,
  tunnel: SLOTS.hasTunnel,
} as const;

type Fields<Slots> = { -readonly [Name in keyof Slots]: number };

/** A class whose fields are words of the control block, so that generated code and helpers read the same. */
function withFields<Slots extends Readonly<Record<string, number>>>(slots: Slots) {
  class ControlWords {
    readonly words: Uint32Array;

    constructor(words: Uint32Array) {
      this.words = words;
    }
  }
  for (const [name, slot] of Object.entries(slots)) {
    Object.defineProperty(ControlWords.prototype, name, {
      get(this: ControlWords) {
        return this.words[2 * slot]!;
      },
      set(this: ControlWords, value: number) {
        this.words[2 * slot] = value;
      },
    });
  }
  return ControlWords as new (
    words: Uint32Array,
  ) => ControlWords & Fields<Slots>;
}

class FragmentsRegion extends withFields(FRAGMENTS) {
  readonly name = 'fragments of the packet';
  readonly writable = true;
  readonly stride = 0;
  readonly size = 0;
}

class PacketRegion extends withFields(REGION) {
  readonly name = 'packet';
  beside?: Region;
  readonly writable = true;
  readonly stride = 0;
  readonly size = 0;
}

class Skb extends withFields(SKB) implements SkbState {
  #tunnel: SkbState['tunnel'] = null;

  get encapsulation(): boolean {
    return this.words[2 * SKB_FLAGS.encapsulation] !== 0;
  }

  set encapsulation(is: boolean) {
    this.words[2 * SKB_FLAGS.encapsulation] = Number(is);
  }

  get hashIsValid(): boolean {
    return this.words[2 * SKB_FLAGS.hashIsValid] !== 0;
  }

  set hashIsValid(is: boolean) {
    this.words[2 * SKB_FLAGS.hashIsValid] = Number(is);
  }

  /** Generated code takes it away with the word. */
  get tunnel(): SkbState['tunnel'] {
    return this.words[2 * SKB_FLAGS.tunnel] === 0 ? null : this.#tunnel;
  }

  set tunnel(tunnel: SkbState['tunnel']) {
    this.#tunnel = tunnel;
    this.words[2 * SKB_FLAGS.tunnel] = tunnel === null ? 0 : 1;
  }
}

/** The packet's edges and state, in the control block, whose words it is given. */
export class ControlPacket extends withFields(EDGES) implements Packet {
  readonly region: PacketRegion;
  readonly skb: SkbState;

  constructor(words: Uint32Array) {
    super(words);
    this.region = new PacketRegion(words);
    this.skb = new Skb(words);
  }

  /** For programs that get slices of dynptrs: those may lie in fragments. */
  reachFragments(): void {
    this.region.beside ??= new FragmentsRegion(this.words);
  }
}
