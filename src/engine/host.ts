import { isPresent } from '../abi/catalogue.ts';
import { BPF_SOCK } from '../abi/context.ts';
import { CONTROL_BYTES, SLOTS } from '../abi/control.ts';
import type { Interfaces } from '../abi/interfaces.ts';
import type { Redirect } from '../abi/machine.ts';
import type { BpfMap } from '../abi/map.ts';
import type { Packet } from '../abi/packet.ts';
import type { Routes } from '../abi/routes.ts';
import type { RunnableProgram } from '../abi/runner.ts';
import { OptionError } from '../base/errors.ts';
import { type Random, seededRandom } from '../base/random.ts';
import type { MapSpec, ObjectSpec } from '../object/spec.ts';
import { framesOf, type Stack, stackAt, stackBytes } from '../runtime/call/stack.ts';
import { asCreated } from '../runtime/maps/index.ts';
import { LinearMemory, MemoryPlan } from '../runtime/memory/memory.ts';
import { catalogue } from './catalogue.ts';
import { captureClock, type ReplayClock, wallClock } from './clock.ts';
import { virtualNetwork } from './interfaces.ts';
import { joinMaps } from './join-maps.ts';
import { MapDesk } from './map-desk.ts';
import { dumpMap, type MapDump } from './map-dump.ts';
import { fillMaps, type MapInit, programsNamed } from './map-init.ts';
import { LOCK_BYTES, MapRoom } from './maps.ts';
import type { NetworkDescription } from './network/network.ts';
import { ControlPacket } from './packet.ts';
import { type LoadedProgram, loadRunnable } from './runnable.ts';

export interface HostOptions {
  /** Virtual CPUs; 1 unless told. */
  readonly cpus?: number;
  /** Of bpf_get_prandom_u32 and all else that is random; 0 unless told. */
  readonly seed?: number;
  readonly clock?: 'capture' | 'wall';
  /** Interface on which packets arrive; 1 unless told, as in BPF_PROG_TEST_RUN. */
  readonly ifindex?: number;
  /** Interfaces, routes and neighbours; unless told, those that BPF_PROG_TEST_RUN has in a new network namespace. */
  readonly network?: NetworkDescription;
  readonly mapInit?: MapInit;
  /** Bytes of linear memory; 1 GiB unless told, 4 GiB at most. */
  readonly maxMemory?: number;
  /** Where it is one of several hosts, each in a thread of its own, that share one memory and the maps in it. */
  readonly seat?: Seat;
}

export interface Seat {
  readonly number: number;
  readonly seats: number;
  /** As seat 0 made it and filled its maps; for all others. */
  readonly memory?: WebAssembly.Memory;
}

/** In force unless told; each error that names one says how to raise it. */
export const HOST_DEFAULTS = { cpus: 1, seed: 0, clock: 'capture', ifindex: 1, maxMemory: 2 ** 30 } as const;

const MOST_CPUS = 256;
/** In front of a frame: as much as any program type asks for. */
const HEADROOM = 65536;
export const LARGEST_FRAME = 256 * 1024;
const TAILROOM = 65536;
const LIBBPF_PIN_BY_NAME = 1;
/**
 * Bytes of a capture that can lie in the memory, where packets may then run without being copied: a record that was cut,
 * and what is read in one go. Reading a page of the page cache to where it ends up 1 to 31 bytes further on in a page
 * takes up to six times as long as elsewhere, and 64 bytes further on the least (docs/decisions/0010).
 */
export const BLOCK_FRONT = 64 * 1024 + 64;
export const BLOCK_BYTES = BLOCK_FRONT + 1024 * 1024;
/** Vectors are read so far beyond. */
const BLOCK_SLACK = 64;
/** Memories of fewer bytes have no block. */
const ROOMY = 64 * 1024 * 1024;

const GIVES_SLICES: ReadonlySet<string> = new Set(['bpf_dynptr_slice', 'bpf_dynptr_slice_rdwr']);

/** A record that a program sent to user space. */
export interface ProgramEvent {
  readonly map: string;
  readonly cpu: number;
  readonly bytes: Uint8Array;
}

/** Packets that a program sent elsewhere beside its verdict (bpf_clone_redirect). */
export interface EmittedPacket {
  readonly ifindex: number;
  readonly direction: 'ingress' | 'egress';
  readonly bytes: Uint8Array;
}

/** A program that is to stand on a host. */
export interface Attachment {
  readonly object: ObjectSpec;
  readonly loaded: LoadedProgram;
  /** Whether the programs that its tail calls reach are to be verified. */
  readonly verify: boolean;
}

/**
 * The virtual host: what programs that run one after the other on it share. One memory with the packet and the maps of
 * their objects, CPUs, clock, chance, interfaces. Maps that objects pin by name (LIBBPF_PIN_BY_NAME) are one map, as
 * they are one file in the bpf file system.
 */
export class Host {
  readonly cpus: number;
  readonly memory: LinearMemory;
  readonly packet: Packet;
  /** Address at which a frame is put. */
  readonly buffer: number;
  /** Address of `BLOCK_BYTES` bytes for a capture; undefined where the memory has no room to spare. */
  readonly block: number | undefined;
  /** Addresses of the contexts, by attachment. */
  readonly contexts: readonly number[];
  readonly socket: number;
  readonly stack: Stack;
  readonly control: number;
  /** The control block as words. */
  readonly words: Uint32Array;
  readonly clock: ReplayClock;
  readonly random: Random;
  readonly interfaces: Interfaces;
  readonly routes: Routes;
  /** Interface on which packets arrive. */
  readonly ifindex: number;
  /** Reads and edits maps between packets. */
  readonly desk: MapDesk;
  /** What programs asked for and sent while a packet ran. */
  redirect: Redirect | null = null;
  readonly events: ProgramEvent[] = [];
  readonly traces: string[] = [];
  readonly emitted: EmittedPacket[] = [];

  readonly #room: MapRoom;
  /** Every program that can run, by the index that PROG_ARRAY slots hold. */
  readonly #programs: RunnableProgram[] = [];
  readonly #names = {
    program: (index: number) => this.#programs[index]?.program.name,
    map: (handle: number) => this.#room.at(handle)?.spec.name,
  };
  /** Index of each attachment's program. */
  readonly #entries: readonly number[];

  /** Throws `OptionError`, `LoadError`, or `ProgramRefused`. */
  constructor(attachments: readonly Attachment[], options: HostOptions) {
    const settings = { ...HOST_DEFAULTS, ...options };
    this.cpus = wholeNumber('cpus', settings.cpus, 1, MOST_CPUS);
    this.ifindex = wholeNumber('ifindex', settings.ifindex, 1, 2 ** 31 - 1);
    const objects = [...new Set(attachments.map(({ object }) => object))];
    const labelled = (object: ObjectSpec) => attachments.find((each) => each.object === object)!.loaded.program.name;
    const joined = joinedMaps(objects.map((object) => ({ object, program: labelled(object) })));

    const frames = framesOf(objects.flatMap(({ programs }) => programs.map(({ instructions }) => instructions)));
    const plan = new MemoryPlan(settings.maxMemory);
    const { seat } = settings;
    /** What each host of a shared memory has to itself. */
    const ofSeats = <T>(allot: () => T): T => Array.from({ length: seat?.seats ?? 1 }, allot)[seat?.number ?? 0]!;
    const { contexts, packet, zeroes, ...own } = ofSeats(() => ({
      contexts: attachments.map(({ loaded }) => plan.allot('context', loaded.programType.context.size)),
      socket: plan.allot('socket', BPF_SOCK.size).start,
      stack: plan.allot('stack', stackBytes(frames)).start,
      packet: plan.allot('packet', HEADROOM + LARGEST_FRAME + TAILROOM),
      zeroes: plan.allot('zeroes', 8).start,
    }));
    this.contexts = contexts.map(({ start }) => start);
    this.socket = own.socket;
    this.stack = stackAt(own.stack, frames);
    const specs = joined.maps.map(({ map }) => asCreated(map, this.cpus));
    const allotments = MapRoom.plan(specs, plan, this.cpus, seat !== undefined);
    const block = ofSeats(() =>
      settings.maxMemory >= ROOMY && plan.bytes + 2 * BLOCK_BYTES <= settings.maxMemory
        ? plan.allot('block of a capture', BLOCK_BYTES + BLOCK_SLACK)
        : undefined,
    );
    this.block = block?.start;
    this.control = ofSeats(() => plan.allot('control block', CONTROL_BYTES).start);
    const locks = seat === undefined ? 0 : plan.allot('locks of maps', LOCK_BYTES * specs.length).start;

    this.memory = new LinearMemory(plan, seat && (seat.memory ?? true));
    const adopts = seat?.memory !== undefined;
    const simple = { stride: 0, size: 0 };
    const region = (name: string, start: number, bytes: number, writable: boolean) =>
      this.memory.addRegion({ name, start, end: start + bytes, writable, ...simple });
    for (const { name, start, bytes } of contexts) region(name, start, bytes, true);
    region('socket', this.socket, BPF_SOCK.size, false);
    region('stack', own.stack, stackBytes(frames), true);
    this.buffer = packet.start + HEADROOM;
    this.words = new Uint32Array(this.memory.u8.buffer, this.control, CONTROL_BYTES / 4);
    const edges = new ControlPacket(this.words);
    this.packet = edges;
    this.memory.addRegion(this.packet.region, packet.start, packet.start + packet.bytes);
    if (block !== undefined) this.memory.addRegion(this.packet.region, block.start, block.start + block.bytes);

    const randomWords = this.words.subarray(2 * SLOTS.random, 2 * SLOTS.random + 4);
    this.random = seededRandom(wholeNumber('seed', settings.seed, 0, 2 ** 32 - 1) + (seat?.number ?? 0), randomWords);
    const { memory, cpus, random } = this;
    this.#room = new MapRoom(specs, allotments, { memory, cpus, random, current: this, adopts }, locks);

    /** The maps of an object, in its order. */
    const mapsOf = new Map(
      objects.map((object, index) => [object, joined.places[index]!.map((place) => this.#room.maps[place]!)]),
    );
    const indices = new Map<ObjectSpec, Map<string, number>>(objects.map((object) => [object, new Map()]));
    const add = ({ object, loaded }: Pick<Attachment, 'object' | 'loaded'>): number => {
      const own = mapsOf.get(object)!;
      if (loaded.program.kernelSymbols.some((symbol) => GIVES_SLICES.has(symbol.name))) edges.reachFragments();
      const index = this.#programs.push({
        program: loaded.program,
        facts: loaded.facts,
        // What is not there is null, for programs that run unverified: touching it is an error of their run.
        mapHandle: (number) => own[number]?.handle ?? 0,
        mapValue: (number, offset) => {
          const first = own[number]?.lookup(zeroes) ?? 0;
          return first === 0 ? 0 : first + offset;
        },
        // Programs compare such an address with 0, and cannot read there.
        symbolAddress: (number) => Number(isPresent(catalogue, loaded.program.kernelSymbols[number])),
      });
      indices.get(object)!.set(loaded.program.name, index - 1);
      return index - 1;
    };
    this.#entries = attachments.map((each) => indices.get(each.object)!.get(each.loaded.program.name) ?? add(each));
    /** Loaded when it is first named: for a tail call, under the type of the program that may call it. */
    const programIndex = (object: ObjectSpec, name: string): number => {
      const found = indices.get(object)!.get(name);
      if (found !== undefined) return found;
      const callers = attachments.filter((each) => each.object === object);
      const own = object.programs.find((program) => program.name === name)?.type;
      const caller = callers.find(({ loaded }) => loaded.program.type === own) ?? callers[0]!;
      return add({ object, loaded: loadRunnable(object, name, caller.verify, caller.loaded.programType.name) });
    };
    const init = settings.mapInit ?? {};
    for (const name of programsNamed(init)) {
      const owner = objects.find((object) => object.programs.some((program) => program.name === name));
      if (owner !== undefined) programIndex(owner, name);
    }
    for (const object of objects) this.#room.initialise(mapsOf.get(object)!, (name) => programIndex(object, name));
    const given = {
      map: (name: string) => this.#room.named(name),
      program: (name: string) => [...indices.values()].find((known) => known.has(name))?.get(name),
    };
    if (!adopts) fillMaps(init, given);
    const btf = (map: BpfMap) => objects[joined.maps[this.#room.maps.indexOf(map)]!.owner]!.btf;
    this.desk = new MapDesk(this.maps, btf, { shown: this.#names, given });

    const times = new BigInt64Array(this.memory.u8.buffer, this.control, CONTROL_BYTES / 8);
    this.clock = settings.clock === 'wall' ? wallClock(times) : captureClock(times);
    ({ interfaces: this.interfaces, routes: this.routes } = virtualNetwork(
      settings.network,
      this.ifindex,
      settings.seed,
    ));
  }

  /** The program of an attachment, and what its tail calls may reach: programs of its own type. */
  programsFor(attachment: number): {
    readonly entry: RunnableProgram;
    readonly programs: (RunnableProgram | undefined)[];
  } {
    const entry = this.#programs[this.#entries[attachment]!]!;
    return {
      entry,
      programs: this.#programs.map((each) => (each.program.type === entry.program.type ? each : undefined)),
    };
  }

  /** Every program that can run. */
  get programs(): readonly RunnableProgram[] {
    return this.#programs;
  }

  get maps(): readonly BpfMap[] {
    return this.#room.maps;
  }

  mapAt(handle: number): BpfMap | undefined {
    return this.#room.at(handle);
  }

  /** Contents of every map, in the objects' order. */
  dumpMaps(): MapDump[] {
    return this.maps.map((map) => dumpMap(map, this.#names));
  }

  get cpu(): number {
    return this.words[2 * SLOTS.cpu]!;
  }

  /** The virtual CPU on which packets run from now on. */
  set cpu(cpu: number) {
    this.words[2 * SLOTS.cpu] = cpu;
  }

  /** Whether programs can send records to user space through ring buffers, which are looked into behind each run. */
  get hasRingBuffers(): boolean {
    return this.#room.ringBuffers.length > 0;
  }

  /** Takes what programs put into ring buffers to the events. */
  drainRings(): void {
    for (const ring of this.#room.ringBuffers) {
      for (const bytes of ring.drain()) this.events.push({ map: ring.spec.name, cpu: this.cpu, bytes });
    }
  }
}

function isPinned({ pinning }: MapSpec): boolean {
  return pinning === LIBBPF_PIN_BY_NAME;
}

/** The maps of objects that share a host. Throws `OptionError` where a pinned map is not the same in all of them. */
export function joinedMaps(objects: readonly { readonly object: ObjectSpec; readonly program: string }[]) {
  const joined = joinMaps(
    objects.map(({ object, program }) => ({ label: program, maps: object.maps })),
    isPinned,
  );
  for (const [owner, places] of joined.places.entries()) {
    for (const [index, place] of places.entries()) {
      if (joined.maps[place]!.owner !== owner)
        requireAlike(joined.maps[place]!.map, objects[owner]!.object.maps[index]!);
    }
  }
  return joined;
}

const ALIKE = ['type', 'keySize', 'valueSize', 'maxEntries', 'flags'] as const;

/** As libbpf asks of a map that is pinned already. */
function requireAlike(one: MapSpec, other: MapSpec): void {
  for (const field of ALIKE) {
    if (one[field] === other[field]) continue;
    throw new OptionError(
      'map-mismatch',
      `two objects pin map ${one.name} by name, and do not agree on its ${field}: ${one[field]} and ${other[field]}`,
    );
  }
}

export function wholeNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new OptionError('bad-option', `${name} is to be a whole number from ${least} to ${most}, not ${value}`);
}
