/** Bytes that were read: of the packet from its start, of a value of a map; or what a helper gave. */
export interface Source {
  readonly name: string;
  /** Null of what has no bytes to be told. */
  readonly bytes: { readonly from: number; readonly hex: string } | null;
}

/** Where a value came from: what its bits do not say. */
export interface Origin {
  /** The instruction that made it; copies of it were not. Null at the start of a function. */
  readonly pc: number | null;
  /** Whether it is an address, and not a number that happens to look like one. */
  readonly pointer: boolean;
  /** What was read to make it. */
  readonly from: readonly Source[];
}

export const UNKNOWN: Origin = { pc: null, pointer: false, from: [] };
export const START_POINTER: Origin = { ...UNKNOWN, pointer: true };

/** Sources of one value that are worth telling. */
const MOST_SOURCES = 3;
/** Bytes of the largest number that is read in pieces. */
const LARGEST_FIELD = 8;
export const REGISTERS = 11;
const FRAME_POINTER = 10;

/** What is computed of two values. `isAddress` says whether an address comes of it. */
export function combined(pc: number, a: Origin, b: Origin, isAddress: boolean): Origin {
  const from = b.from.reduce(withSource, a.from);
  return { pc, pointer: isAddress, from: from.slice(0, MOST_SOURCES) };
}

/** Compilers read a field byte by byte where it may not be aligned: pieces that lie side by side are one. */
function withSource(all: readonly Source[], added: Source): readonly Source[] {
  for (const [index, { name, bytes }] of all.entries()) {
    if (name !== added.name) continue;
    const joined = bytes === null || added.bytes === null ? bytes : joinedBytes(bytes, added.bytes);
    if (joined !== undefined) return all.with(index, { name, bytes: joined });
  }
  return [...all, added];
}

type Bytes = NonNullable<Source['bytes']>;

function joinedBytes(a: Bytes, b: Bytes): Bytes | undefined {
  if (a.from === b.from && a.hex === b.hex) return a;
  const [first, second] = a.from < b.from ? [a, b] : [b, a];
  const size = (a.hex.length + b.hex.length) / 2;
  if (first.from + first.hex.length / 2 !== second.from || size > LARGEST_FIELD) return undefined;
  return { from: first.from, hex: first.hex + second.hex };
}

/** Origins of the registers of all frames, and of what lies on the stack. */
export class Origins {
  #frames: Origin[][] = [];
  readonly #stack = new Map<number, Origin>();

  constructor() {
    this.enter(0, [START_POINTER]);
  }

  of(frame: number, register: number): Origin {
    return this.#frames[frame]?.[register] ?? UNKNOWN;
  }

  set(frame: number, register: number, origin: Origin): void {
    this.#frames[frame]![register] = origin;
  }

  /** A function that is entered knows its arguments, r1 and on, and its stack (RFC 9669, section 2). */
  enter(frame: number, args: readonly Origin[]): void {
    const registers = Array.from({ length: REGISTERS }, () => UNKNOWN);
    registers.splice(1, args.length, ...args);
    registers[FRAME_POINTER] = START_POINTER;
    this.#frames = [...this.#frames.slice(0, frame), registers];
  }

  /** Arguments of a call. */
  args(frame: number): readonly Origin[] {
    return [1, 2, 3, 4, 5].map((register) => this.of(frame, register));
  }

  store(address: number, origin: Origin): void {
    this.#stack.set(address, origin);
  }

  load(address: number): Origin | undefined {
    return this.#stack.get(address);
  }
}
