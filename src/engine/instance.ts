import { BPF_SOCK } from '../abi/context.ts';
import type { Clock, Machine, Redirect } from '../abi/machine.ts';
import type { BpfMap } from '../abi/map.ts';
import type { Packet } from '../abi/packet.ts';
import type { ProgramType } from '../abi/program-type.ts';
import { RunError, type RunnableProgram, type Runner } from '../abi/runner.ts';
import { OptionError } from '../base/errors.ts';
import { type Random, seededRandom } from '../base/random.ts';
import type { ObjectSpec } from '../object/spec.ts';
import type { Program } from '../program/program.ts';
import { STACK_REGION_BYTES } from '../runtime/call/limits.ts';
import { Interpreter, type StepObserver } from '../runtime/interpreter/interpreter.ts';
import { CONTROL_BYTES, SLOTS } from '../runtime/jit/control.ts';
import { Jit } from '../runtime/jit/jit.ts';
import { asCreated } from '../runtime/maps/index.ts';
import { LinearMemory, MemoryPlan } from '../runtime/memory/memory.ts';
import { catalogue } from './catalogue.ts';
import { captureClock, type ReplayClock, wallClock } from './clock.ts';
import { virtualInterfaces } from './interfaces.ts';
import { MapDesk } from './map-desk.ts';
import { dumpMap, type MapDump } from './map-dump.ts';
import { fillMaps, type MapInit, programsNamed } from './map-init.ts';
import { MapRoom } from './maps.ts';
import { type NativeEntry, slotAddress } from './native.ts';
import { ControlPacket } from './packet.ts';
import { selectProgram } from './programs.ts';
import { loadRunnable } from './runnable.ts';

export interface InstanceOptions {
  /** Name of the program; may be left out where the object leaves no doubt. */
  readonly program?: string;
  /** libbpf's name of the program type, where the section's name does not say it or says it wrong. */
  readonly type?: string;
  /** Virtual CPUs; 1 unless told. */
  readonly cpus?: number;
  /** Of bpf_get_prandom_u32 and all else that is random; 0 unless told. */
  readonly seed?: number;
  readonly clock?: 'capture' | 'wall';
  /** Interface on which packets arrive; 1 unless told, as in BPF_PROG_TEST_RUN. */
  readonly ifindex?: number;
  readonly mapInit?: MapInit;
  /** Bytes of linear memory; 1 GiB unless told, 4 GiB at most. */
  readonly maxMemory?: number;
  /** Instructions that the run of one packet may take; 100 million unless told. */
  readonly budget?: number;
  /** False runs what the verifier refuses; each access is checked all the same. */
  readonly verify?: boolean;
  /** What runs programs: the referee, or WebAssembly made of them, which answers the same. */
  readonly engine?: Engine;
  /**
   * With the JIT, checks of each access whose bytes it meets, instead of trusting what the verifier proved. It is so for
   * programs that were not verified; and the interpreter always checks.
   */
  readonly sanitize?: boolean;
  /** Sees every step that a packet's run takes; the interpreter's alone. */
  readonly observe?: StepObserver;
}

export type Engine = 'interpreter' | 'jit';

/** Bounds in force unless told; each error that names one says how to raise it. */
export const INSTANCE_DEFAULTS = {
  cpus: 1,
  seed: 0,
  clock: 'capture',
  ifindex: 1,
  maxMemory: 2 ** 30,
  budget: 100_000_000,
  verify: true,
  engine: 'interpreter',
  sanitize: false,
} as const;

const MOST_CPUS = 256;
/** In front of a frame: as much as any program type asks for. */
const HEADROOM = 65536;
const LARGEST_FRAME = 256 * 1024;
const TAILROOM = 65536;

/** What to run on: an Ethernet frame and its capture time. A `Frame` of a capture is one. */
export interface PacketInput {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly originalLength: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What became of a packet. The same object is filled anew for each packet. */
export interface PacketResult {
  /** `XDP_DROP`, `TC_ACT_OK` …; an unknown code as its number; `ERROR` when the run ended in an error. */
  verdict: string;
  /** Low 32 bits of r0, as BPF_PROG_TEST_RUN gives them. */
  retval: number;
  redirect: Redirect | null;
  error: RunError | null;
  /** Why the hook does not take the frame; then nothing ran. */
  skipped: string | null;
  /** The bytes that BPF_PROG_TEST_RUN would give back, in `Instance.memory`. */
  outStart: number;
  outEnd: number;
}

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

/** One object made ready to run: memory, maps, runner. Not shared between threads. */
export class Instance implements Machine {
  readonly program: Program;
  readonly programType: ProgramType;
  readonly memory: LinearMemory;
  readonly packet: Packet;
  readonly context: number;
  readonly socket: number;
  readonly cpus: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly interfaces;
  #redirect: Redirect | null = null;

  /** Filled while packets run; whoever replays takes them away. */
  readonly events: ProgramEvent[] = [];
  readonly traces: string[] = [];
  readonly emitted: EmittedPacket[] = [];

  /** Reads and edits maps between packets. */
  readonly desk: MapDesk;

  readonly #names = {
    program: (index: number) => this.#programs[index]?.program.name,
    map: (handle: number) => this.#room.at(handle)?.spec.name,
  };
  readonly #room: MapRoom;
  /** The control block. */
  readonly #words: Uint32Array;
  readonly #clock: ReplayClock;
  /** Address of the control block. */
  readonly #control: number;
  readonly #runner: Runner;
  readonly #jit: Jit | undefined;
  readonly #budget: number;
  readonly #entry: RunnableProgram;
  readonly #programs: readonly RunnableProgram[];
  readonly #buffer: number;
  readonly #arrival;
  readonly #result: PacketResult = {
    verdict: '',
    retval: 0,
    redirect: null,
    error: null,
    skipped: null,
    outStart: 0,
    outEnd: 0,
  };

  /** Throws `OptionError`, `LoadError`, or `ProgramRefused`. */
  constructor(object: ObjectSpec, options: InstanceOptions = {}) {
    const settings = { ...INSTANCE_DEFAULTS, ...options };
    this.cpus = wholeNumber('cpus', settings.cpus, 1, MOST_CPUS);
    const budget = wholeNumber('budget', settings.budget, 1, Number.MAX_SAFE_INTEGER);
    const ifindex = wholeNumber('ifindex', settings.ifindex, 1, 2 ** 31 - 1);

    const entry = selectProgram(object, settings.program);
    const first = loadRunnable(object, entry.name, settings.verify, options.type);
    this.program = first.program;
    this.programType = first.programType;

    const plan = new MemoryPlan(settings.maxMemory);
    this.context = plan.allot('context', this.programType.context.size).start;
    this.socket = plan.allot('socket', BPF_SOCK.size).start;
    const stack = plan.allot('stack', STACK_REGION_BYTES).start;
    const packet = plan.allot('packet', HEADROOM + LARGEST_FRAME + TAILROOM);
    const zeroes = plan.allot('zeroes', 8).start;
    const specs = object.maps.map((map) => asCreated(map, this.cpus));
    const allotments = MapRoom.plan(specs, plan, this.cpus);
    const control = plan.allot('control block', CONTROL_BYTES).start;

    this.#control = control;
    this.#budget = budget;
    this.memory = new LinearMemory(plan);
    const simple = { stride: 0, size: 0 };
    const region = (name: string, start: number, bytes: number, writable: boolean) =>
      this.memory.addRegion({ name, start, end: start + bytes, writable, ...simple });
    region('context', this.context, this.programType.context.size, true);
    region('socket', this.socket, BPF_SOCK.size, false);
    region('stack', stack, STACK_REGION_BYTES, true);
    this.#buffer = packet.start + HEADROOM;
    this.#words = new Uint32Array(this.memory.u8.buffer, control, CONTROL_BYTES / 4);
    this.packet = new ControlPacket(this.#words);
    this.memory.addRegion(this.packet.region, packet.start, packet.start + packet.bytes);

    this.random = seededRandom(wholeNumber('seed', settings.seed, 0, 2 ** 32 - 1));
    this.#room = new MapRoom(specs, allotments, {
      memory: this.memory,
      cpus: this.cpus,
      current: this,
      random: this.random,
    });

    const indices = new Map<string, number>();
    const programs: RunnableProgram[] = [];
    const bind = ({ program, facts }: Pick<RunnableProgram, 'program' | 'facts'>): RunnableProgram => ({
      program,
      facts,
      // What is not there is null, for programs that run unverified: touching it is an error of their run.
      mapHandle: (index) => this.#room.maps[index]?.handle ?? 0,
      mapValue: (index, offset) => {
        const first = this.#room.maps[index]?.lookup(zeroes) ?? 0;
        return first === 0 ? 0 : first + offset;
      },
    });
    const programIndex = (name: string): number => {
      let index = indices.get(name);
      if (index === undefined) {
        const loaded = name === entry.name ? first : loadRunnable(object, name, settings.verify, this.programType.name);
        index = programs.push(bind(loaded)) - 1;
        indices.set(name, index);
      }
      return index;
    };
    this.#programs = programs;
    this.#entry = programs[programIndex(entry.name)]!;
    for (const name of programsNamed(options.mapInit ?? {})) {
      if (object.programs.some((program) => program.name === name)) programIndex(name);
    }
    this.#room.initialise(programIndex);
    const given = { map: (name: string) => this.#room.named(name), program: (name: string) => indices.get(name) };
    fillMaps(options.mapInit ?? {}, given);
    this.desk = new MapDesk(this.maps, object.btf, { shown: this.#names, given });

    const times = new BigInt64Array(this.memory.u8.buffer, control, CONTROL_BYTES / 8);
    this.#clock = settings.clock === 'wall' ? wallClock(times) : captureClock(times);
    this.clock = this.#clock;
    this.interfaces = virtualInterfaces(ifindex);
    this.#arrival = {
      ifindex,
      queue: 0,
      frags: this.program.frags,
      originalLength: 0,
      attachType: this.program.attachType,
    };
    const parts = { memory: this.memory, machine: this, helpers: catalogue.helpers, programs, stack, budget };
    const { observe } = options;
    if (settings.engine === 'interpreter') {
      this.#runner = new Interpreter({ ...parts, ...(observe === undefined ? {} : { observe }) });
    } else if (observe === undefined) {
      this.#jit = new Jit({ ...parts, control, sanitize: settings.sanitize || !settings.verify });
      this.#runner = this.#jit;
    } else {
      throw new OptionError('bad-option', 'only the interpreter can be observed step by step');
    }
  }

  /** For a loop in WebAssembly that runs packets by itself; undefined where that cannot be. */
  get native(): NativeEntry | undefined {
    const { programType, context, socket } = this;
    const { writeEnter } = programType;
    if (this.#jit === undefined || writeEnter === undefined) return undefined;
    const { table, index } = this.#jit.entry(this.#entry);
    return {
      memory: this.memory.wasm,
      run: table.get(index),
      budget: this.#budget,
      frame: this.#buffer,
      context,
      socket,
      programType: { ...programType, writeEnter },
      arrival: this.#arrival,
      slot: (name) => slotAddress(this.#control, name),
    };
  }

  /** Whether the programs can send records to user space through ring buffers, which are looked into behind each run. */
  get hasRingBuffers(): boolean {
    return this.#room.ringBuffers.length > 0;
  }

  /** The WebAssembly that is made of the program, for people to read; empty where the interpreter runs it. */
  get generatedText(): string {
    return this.#runner.text?.(this.#entry) ?? '';
  }

  get maps(): readonly BpfMap[] {
    return this.#room.maps;
  }

  get cpu(): number {
    return this.#words[2 * SLOTS.cpu]!;
  }

  /** The virtual CPU on which packets run from now on. */
  set cpu(cpu: number) {
    this.#words[2 * SLOTS.cpu] = cpu;
  }

  /** Instructions that the last packet's run took. */
  get executed(): number {
    return this.#runner.executed;
  }

  /** Runs the program on one Ethernet frame. The result is valid until the next call. */
  runPacket(input: PacketInput): PacketResult {
    const { packet } = this;
    const result = this.#result;
    const length = input.end - input.start;
    result.error = null;
    result.redirect = null;
    result.skipped = length > LARGEST_FRAME ? `longer than ${LARGEST_FRAME} bytes` : null;
    if (result.skipped !== null) return result;

    this.#clock.set(input.seconds, input.nanoseconds);
    this.#words[2 * SLOTS.attention] = 0;
    this.#redirect = null;
    this.memory.u8.set(input.bytes.subarray(input.start, input.end), this.#buffer);
    packet.data = this.#buffer;
    packet.end = this.#buffer + length;
    this.#arrival.originalLength = input.originalLength;
    result.skipped = this.programType.enter(this, this.#arrival) ?? null;
    if (result.skipped !== null) return result;

    try {
      return this.completed(Number(this.#runner.run(this.#entry, this.context) & 0xffff_ffffn));
    } catch (error) {
      return this.failed(error);
    }
  }

  /** What became of the packet whose run gave the low 32 bits of r0. The result is valid until the next call. */
  completed(retval: number): PacketResult {
    const result = this.#result;
    result.error = null;
    result.retval = retval;
    result.verdict = this.programType.verdict(retval | 0);
    result.redirect = this.#redirect;
    return this.#left();
  }

  /** What became of the packet whose run threw; throws what is no error of the run. */
  failed(error: unknown): PacketResult {
    if (this.#jit?.ended(error) === true) return this.completed(0);
    if (!(error instanceof RunError)) throw error;
    const result = this.#result;
    result.error = error;
    result.retval = 0;
    result.verdict = 'ERROR';
    result.redirect = null;
    return this.#left();
  }

  #left(): PacketResult {
    const result = this.#result;
    result.skipped = null;
    result.outStart = this.programType.leave(this);
    result.outEnd = this.packet.end;
    for (const ring of this.#room.ringBuffers) {
      for (const bytes of ring.drain()) this.events.push({ map: ring.spec.name, cpu: this.cpu, bytes });
    }
    this.#words[2 * SLOTS.attention] = 0;
    this.#redirect = null;
    return result;
  }

  /** Contents of every map, in the object's order. */
  dumpMaps(): MapDump[] {
    return this.maps.map((map) => dumpMap(map, this.#names));
  }

  mapAt(handle: number): BpfMap | undefined {
    return this.#room.at(handle);
  }

  get redirect(): Redirect | null {
    return this.#redirect;
  }

  set redirect(redirect: Redirect | null) {
    this.#redirect = redirect;
    this.#words[2 * SLOTS.attention] = 1;
  }

  packetChanged(): void {
    this.#words[2 * SLOTS.packetMoved] = 1;
    this.programType.sync(this);
  }

  call(pc: number, ...args: bigint[]): bigint {
    return this.#runner.call(pc, args);
  }

  trace(text: string): void {
    this.#words[2 * SLOTS.attention] = 1;
    this.traces.push(text);
  }

  event(map: BpfMap, bytes: Uint8Array): void {
    this.#words[2 * SLOTS.attention] = 1;
    this.events.push({ map: map.spec.name, cpu: this.cpu, bytes });
  }

  emit(ifindex: number, direction: 'ingress' | 'egress', bytes: Uint8Array): void {
    this.#words[2 * SLOTS.attention] = 1;
    this.emitted.push({ ifindex, direction, bytes });
  }
}

function wholeNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new OptionError('bad-option', `${name} is to be a whole number from ${least} to ${most}, not ${value}`);
}
