import { offsetIn, SK_BUFF } from '../abi/context.ts';
import { ATTENTION, SLOTS } from '../abi/control.ts';
import type { Interfaces } from '../abi/interfaces.ts';
import type { Clock, Machine, Redirect } from '../abi/machine.ts';
import type { BpfMap } from '../abi/map.ts';
import type { Packet } from '../abi/packet.ts';
import type { ProgramType } from '../abi/program-type.ts';
import type { Routes } from '../abi/routes.ts';
import { RunError, type RunnableProgram, type Runner } from '../abi/runner.ts';
import type { Random } from '../base/random.ts';
import type { ObjectSpec } from '../object/spec.ts';
import type { Program } from '../program/program.ts';
import type { StepObserver } from '../runtime/interpreter/interpreter.ts';
import type { Jit } from '../runtime/jit/jit.ts';
import { clear } from '../runtime/memory/lock.ts';
import type { LinearMemory } from '../runtime/memory/memory.ts';
import { type StateAcrossPackets, stateAcrossPackets } from '../verifier/facts/state-across-packets.ts';
import { catalogue } from './catalogue.ts';
import { type Engine, makeRunner } from './engine.ts';
import {
  type EmittedPacket,
  HOST_DEFAULTS,
  Host,
  type HostOptions,
  LARGEST_FRAME,
  type ProgramEvent,
  wholeNumber,
} from './host.ts';
import type { MapDesk } from './map-desk.ts';
import type { MapDump } from './map-dump.ts';
import { type NativeEntry, slotAddress } from './native.ts';
import { redirectIn } from './redirect.ts';
import { type LoadedProgram, loadRunnable } from './runnable.ts';

export type { Engine, StepObserver };

export interface InstanceOptions extends HostOptions {
  /** Name of the program; may be left out where the object leaves no doubt. */
  readonly program?: string;
  /** libbpf's name of the program type, where the section's name does not say it or says it wrong. */
  readonly type?: string;
  /** Instructions that the run of one packet may take; 100 million unless told. */
  readonly budget?: number;
  /** False runs what the verifier refuses; each access is checked all the same. */
  readonly verify?: boolean;
  /**
   * What runs programs: the referee, or WebAssembly made of them, which answers the same. Unless told, the JIT runs what
   * was verified, and the interpreter what was not, what is observed, and what is too large to be translated.
   */
  readonly engine?: Engine;
  /**
   * With the JIT, checks of each access whose bytes it meets, instead of trusting what the verifier proved. It is so for
   * programs that were not verified; and the interpreter always checks.
   */
  readonly sanitize?: boolean;
  /** Sees every step that a packet's run takes; the interpreter's alone. */
  readonly observe?: StepObserver;
}

const IFINDEX = offsetIn(SK_BUFF, 'ifindex');

/** Bounds in force unless told; each error that names one says how to raise it. */
export const INSTANCE_DEFAULTS = {
  ...HOST_DEFAULTS,
  budget: 100_000_000,
  verify: true,
  sanitize: false,
} as const;

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

export function emptyResult(): PacketResult {
  return { verdict: '', retval: 0, redirect: null, error: null, skipped: null, outStart: 0, outEnd: 0 };
}

/** Gives each instance, once, who sees its steps. */
export type Watcher = (instance: Instance) => StepObserver;

/** Where an instance stands. */
export interface Place {
  readonly host: Host;
  readonly loaded: LoadedProgram;
  /** Number of the attachment on the host. */
  readonly index: number;
}

function placeAlone(object: ObjectSpec, options: InstanceOptions): Place {
  const verify = options.verify ?? INSTANCE_DEFAULTS.verify;
  const loaded = loadRunnable(object, options.program, verify, options.type);
  return { host: new Host([{ object, loaded, verify }], options), loaded, index: 0 };
}

/** A program made ready to run: its place on a host, and what runs it. Not shared between threads. */
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
  readonly interfaces: Interfaces;
  readonly routes: Routes;

  /** Filled while packets run; whoever replays takes them away. */
  readonly events: ProgramEvent[];
  readonly traces: string[];
  readonly emitted: EmittedPacket[];

  readonly #host: Host;
  /** The control block. */
  readonly #words: Uint32Array;
  readonly #usual: Runner;
  #runner: Runner;
  readonly #referee: (observe: StepObserver) => Runner;
  readonly #jit: Jit | undefined;
  readonly #budget: number;
  readonly #isVerified: boolean;
  readonly #entry: RunnableProgram;
  readonly #arrival;
  readonly #result: PacketResult = emptyResult();

  /** On a host of its own, unless it has a place on one. Throws `OptionError`, `LoadError`, or `ProgramRefused`. */
  constructor(object: ObjectSpec, options: InstanceOptions = {}, place: Place = placeAlone(object, options)) {
    const settings = { ...INSTANCE_DEFAULTS, ...options };
    const budget = wholeNumber('budget', settings.budget, 1, Number.MAX_SAFE_INTEGER);
    const { host, loaded, index } = place;
    this.#host = host;
    this.program = loaded.program;
    this.programType = loaded.programType;
    this.memory = host.memory;
    this.packet = host.packet;
    this.context = host.contexts[index]!;
    this.socket = host.socket;
    this.cpus = host.cpus;
    this.clock = host.clock;
    this.random = host.random;
    this.interfaces = host.interfaces;
    this.routes = host.routes;
    this.events = host.events;
    this.traces = host.traces;
    this.emitted = host.emitted;
    this.#words = host.words;
    this.#budget = budget;
    this.#isVerified = settings.verify;
    this.#arrival = {
      ifindex: host.ifindex,
      queue: 0,
      frags: this.program.frags,
      originalLength: 0,
      attachType: this.program.attachType,
    };
    const { entry, programs } = host.programsFor(index);
    this.#entry = entry;
    const { stack, control, memory } = host;
    const parts = {
      memory,
      machine: this,
      helpers: catalogue.helpers,
      kfuncs: catalogue.kfuncs,
      programs,
      stack,
      control,
      budget,
    };
    const { runner, jit } = makeRunner(parts, settings);
    this.#usual = runner;
    this.#runner = runner;
    this.#referee = (observe) => makeRunner(parts, { ...settings, engine: 'interpreter', observe }).runner;
    this.#jit = jit;
  }

  /** For a loop in WebAssembly that runs packets by itself; undefined where that cannot be. */
  get native(): NativeEntry | undefined {
    const { programType, context, socket } = this;
    const { writeEnter, writeLeave } = programType;
    if (this.#jit === undefined || writeEnter === undefined || writeLeave === undefined) return undefined;
    return {
      ...this.#jit.entry(this.#entry),
      memory: this.memory.wasm,
      budget: this.#budget,
      isVerified: this.#isVerified,
      block: this.#host.block,
      inPlace: this.#isVerified && programType.writeEnterInPlace !== undefined && this.#keepsEdges,
      frame: this.#host.buffer,
      context,
      socket,
      programType: { ...programType, writeEnter, writeLeave },
      arrival: this.#arrival,
      slot: (name) => slotAddress(this.#host.control, name),
    };
  }

  /** Whether no program that can run calls what moves the packet's edges. */
  get #keepsEdges(): boolean {
    return this.#host.programs.every(({ program }) =>
      program.instructions.every((instruction) => {
        if (instruction?.kind !== 'call') return true;
        const { target } = instruction;
        if (target.type === 'local') return true;
        if (target.type === 'helper') return catalogue.helpers.get(target.id)?.prototype.changesPacket !== true;
        if (target.type === 'register') return false;
        const name = program.kernelSymbols[target.btfId]?.name ?? '';
        return catalogue.kfuncs.get(name)?.effects.includes('changes-packet') !== true;
      }),
    );
  }

  /** What each program that can run leaves behind from packet to packet; undefined of one that was not verified. */
  stateAcrossPackets(): { readonly program: string; readonly state: StateAcrossPackets | undefined }[] {
    return this.#host.programs.map(({ program, facts }) => ({
      program: program.name,
      state: facts === undefined ? undefined : stateAcrossPackets(program, facts, catalogue),
    }));
  }

  /** Whether the programs can send records to user space through ring buffers, which are looked into behind each run. */
  get hasRingBuffers(): boolean {
    return this.#host.hasRingBuffers;
  }

  /** The WebAssembly that is made of the program, for people to read; empty where the interpreter runs it. */
  get generatedText(): string {
    return this.#usual.text?.(this.#entry) ?? '';
  }

  get maps(): readonly BpfMap[] {
    return this.#host.maps;
  }

  get cpu(): number {
    return this.#host.cpu;
  }

  /** The virtual CPU on which packets run from now on. */
  set cpu(cpu: number) {
    this.#host.cpu = cpu;
  }

  /** Instructions that the last packet's run took. */
  get executed(): number {
    return this.#runner.executed;
  }

  /**
   * Lets someone see each step of the packets that `runPacket` runs from now on: the interpreter runs them, on the state
   * as it is. Undefined ends it.
   */
  watch(watcher: Watcher | undefined): void {
    this.#runner = watcher === undefined ? this.#usual : this.#referee(watcher(this));
  }

  /** A packet that another thread runs: the clocks of all start with the first. */
  pass({ start, end, seconds, nanoseconds }: PacketInput): void {
    if (end - start <= LARGEST_FRAME) this.#host.clock.set(seconds, nanoseconds);
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

    this.#host.clock.set(input.seconds, input.nanoseconds);
    this.#words[2 * SLOTS.attention] = 0;
    this.#host.redirect = null;
    this.memory.u8.set(input.bytes.subarray(input.start, input.end), this.#host.buffer);
    packet.data = this.#host.buffer;
    packet.end = this.#host.buffer + length;
    this.#arrival.originalLength = input.originalLength;
    result.skipped = this.programType.enter(this, this.#arrival) ?? null;
    if (result.skipped !== null) return result;

    return this.#run();
  }

  /**
   * Runs the program on the packet as another program of the host left it: the same sk_buff with all that was set in
   * it, or, behind XDP, a new one with XDP's metadata.
   */
  runAfter(before: Instance, ifindex: number): PacketResult {
    const { packet, memory, context, programType } = this;
    this.#words[2 * SLOTS.attention] = 0;
    this.#host.redirect = null;
    const result = this.#result;
    result.skipped = null;
    if (before.programType.context === programType.context) {
      memory.u8.copyWithin(context, before.context, before.context + programType.context.size);
      memory.view.setUint32(context + IFINDEX, ifindex, true);
    } else {
      const metadata = packet.data - packet.meta;
      result.skipped = programType.enter(this, { ...this.#arrival, ifindex }) ?? null;
      if (result.skipped !== null) return result;
      packet.meta = packet.data - metadata;
    }
    programType.sync(this);
    return this.#run();
  }

  #run(): PacketResult {
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
    result.redirect = this.redirect;
    return this.#left();
  }

  /** What became of the packet whose run threw; throws what is no error of the run. */
  failed(error: unknown): PacketResult {
    if (this.#jit?.ended(error) === true) return this.completed(0);
    if (!(error instanceof RunError)) throw error;
    this.#dropLock();
    const result = this.#result;
    result.error = error;
    result.retval = 0;
    result.verdict = 'ERROR';
    result.redirect = null;
    return this.#left();
  }

  get heldLock(): number {
    return this.#words[2 * SLOTS.heldLock]!;
  }

  set heldLock(address: number) {
    this.#words[2 * SLOTS.heldLock] = address;
  }

  /** Who waits for a lock whose holder's run ended in an error does not wait for ever. */
  #dropLock(): void {
    const { shared } = this.memory;
    if (shared === undefined || this.heldLock === 0) return;
    clear(shared, this.heldLock);
    this.heldLock = 0;
  }

  #left(): PacketResult {
    const result = this.#result;
    result.skipped = null;
    result.outStart = this.programType.leave(this);
    result.outEnd = this.packet.end;
    this.#host.drainRings();
    this.#words[2 * SLOTS.attention] = 0;
    this.#host.redirect = null;
    return result;
  }

  /** Reads and edits maps between packets. */
  get desk(): MapDesk {
    return this.#host.desk;
  }

  /** Contents of every map, in the object's order. */
  dumpMaps(): MapDump[] {
    return this.#host.dumpMaps();
  }

  mapAt(handle: number): BpfMap | undefined {
    return this.#host.mapAt(handle);
  }

  get redirect(): Redirect | null {
    const inWords = (this.#words[2 * SLOTS.attention]! & ATTENTION.redirect) !== 0;
    return inWords ? redirectIn(this.#words, (handle) => this.mapAt(handle)) : this.#host.redirect;
  }

  set redirect(redirect: Redirect | null) {
    this.#host.redirect = redirect;
    this.#words[2 * SLOTS.attention] = ATTENTION.javascript;
  }

  #attend(): void {
    const slot = 2 * SLOTS.attention;
    this.#words[slot] = this.#words[slot]! | ATTENTION.javascript;
  }

  packetChanged(): void {
    this.#words[2 * SLOTS.packetMoved] = 1;
    this.programType.sync(this);
  }

  call(pc: number, ...args: bigint[]): bigint {
    return this.#runner.call(pc, args);
  }

  trace(text: string): void {
    this.#attend();
    this.traces.push(text);
  }

  event(map: BpfMap, bytes: Uint8Array): void {
    this.#attend();
    this.events.push({ map: map.spec.name, cpu: this.cpu, bytes });
  }

  emit(ifindex: number, direction: 'ingress' | 'egress', bytes: Uint8Array): void {
    this.#attend();
    this.emitted.push({ ifindex, direction, bytes });
  }
}
