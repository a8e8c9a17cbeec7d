import type { Redirect } from '../abi/machine.ts';
import type { Packet } from '../abi/packet.ts';
import type { ProgramType } from '../abi/program-type.ts';
import { OptionError } from '../base/errors.ts';
import { MOST_NAMES, OTHER } from '../base/names.ts';
import type { ObjectSpec } from '../object/spec.ts';
import type { LinearMemory } from '../runtime/memory/memory.ts';
import {
  type Attachment,
  type EmittedPacket,
  HOST_DEFAULTS,
  Host,
  type HostOptions,
  type ProgramEvent,
} from './host.ts';
import {
  emptyResult,
  INSTANCE_DEFAULTS,
  Instance,
  type InstanceOptions,
  type PacketInput,
  type PacketResult,
  type Watcher,
} from './instance.ts';
import type { MapDesk } from './map-desk.ts';
import type { MapDump } from './map-dump.ts';
import { loadRunnable } from './runnable.ts';

/** Where on the way of a packet a program stands. */
export const HOOKS = ['xdp', 'tc-ingress', 'tc-egress'] as const;
export type Hook = (typeof HOOKS)[number];

/** A program at a hook, of all interfaces or of one. */
export interface Stage {
  readonly object: ObjectSpec;
  /** As in `InstanceOptions`. */
  readonly program?: string | undefined;
  readonly type?: string | undefined;
  /** By its program's type unless told: `xdp`, or `tc-ingress`. */
  readonly hook?: Hook | undefined;
  readonly ifindex?: number | undefined;
}

export interface PipelineOptions
  extends HostOptions,
    Pick<InstanceOptions, 'budget' | 'verify' | 'engine' | 'sanitize'> {
  /**
   * True sends frames that XDP transmits or redirects through tc egress too. In Linux they leave by the driver, past
   * every tc program, and so they do unless told.
   */
  readonly tcEgressAfterXdp?: boolean;
}

/** What became of a packet in the end. */
export const FATES = {
  stack: 'passed to the network stack of the host',
  drop: 'dropped by a program, or because its verdict leads nowhere',
  transmit: 'sent out of an interface',
  socket: 'handed to an AF_XDP socket',
  stolen: 'kept by a program (TC_ACT_STOLEN, TC_ACT_TRAP)',
  'redirect-loop': 'redirected from hook to hook without end',
  ERROR: 'the run of a program ended in an error',
} as const;
export type Fate = keyof typeof FATES;

/** What one program of the pipeline did with the packets that came to it. */
export interface StageTally {
  readonly hook: Hook;
  readonly ifindex: number | null;
  readonly program: string;
  readonly type: string;
  packets: number;
  /** By name, as many as a tally has. */
  readonly verdicts: Record<string, number>;
}

interface Placed {
  readonly hook: Hook;
  readonly ifindex: number | null;
  readonly instance: Instance;
  readonly tally: StageTally;
  /** Of its verdicts. */
  names: number;
}

/** linux/bpf.h */
const XDP = { pass: 2, tx: 3, redirect: 4 } as const;
/** linux/pkt_cls.h. Of a program in direct action, every other code goes on to the next, as TC_ACT_UNSPEC does. */
const TC = { ok: 0, shot: 2, stolen: 4, trap: 8, redirect: 7 } as const;
/** Hooks that one packet may be sent on to. */
const MOST_HOPS = 8;

/** Which program types a hook takes. */
const TYPES: Readonly<Record<Hook, readonly string[]>> = {
  xdp: ['xdp'],
  'tc-ingress': ['sched_cls', 'sched_act'],
  'tc-egress': ['sched_cls', 'sched_act'],
};

/**
 * Several programs on one virtual host, as a packet meets them: XDP; on XDP_PASS (and from a CPUMAP) the tc ingress
 * programs, in their order, until one decides; on a redirect of theirs the tc egress programs of the interface that it
 * goes out of, or tc ingress again. What a program leaves, bytes, metadata, mark, priority and `cb`, the next one finds.
 */
export class Pipeline {
  readonly stages: readonly StageTally[];
  /** Named for all of them. */
  readonly program: { readonly name: string; readonly type: 'pipeline' };
  readonly #host: Host;
  readonly #placed: readonly Placed[];
  readonly #egressAfterXdp: boolean;
  #last: Instance;
  #hops = 0;
  #executed = 0;
  readonly #result: PacketResult = emptyResult();

  /** Throws `OptionError`, `LoadError`, or `ProgramRefused`. */
  constructor(stages: readonly Stage[], options: PipelineOptions = {}) {
    const verify = options.verify ?? INSTANCE_DEFAULTS.verify;
    const loaded = stages.map((stage) => loadStage(stage, verify));
    requireOrder(loaded, options.ifindex ?? HOST_DEFAULTS.ifindex);
    this.#host = new Host(loaded, options);
    this.#placed = loaded.map((each, index) => {
      const { object, hook, ifindex } = each;
      const instance = new Instance(object, options, { host: this.#host, loaded: each.loaded, index });
      const { name, type } = each.loaded.program;
      return {
        hook,
        ifindex,
        instance,
        tally: { hook, ifindex, program: name, type, packets: 0, verdicts: {} },
        names: 0,
      };
    });
    this.stages = this.#placed.map(({ tally }) => tally);
    this.program = { name: this.stages.map(({ program }) => program).join(' → '), type: 'pipeline' };
    this.#egressAfterXdp = options.tcEgressAfterXdp === true;
    this.#last = this.#placed[0]!.instance;
  }

  /** As of an instance, all of them. */
  watch(watcher: Watcher | undefined): void {
    for (const { instance } of this.#placed) instance.watch(watcher);
  }

  /** Runs an Ethernet frame through. `verdict` is its fate; the rest is of the last program that it met. */
  runPacket(input: PacketInput): PacketResult {
    const result = this.#result;
    const arrival = this.#host.ifindex;
    this.#hops = 0;
    this.#executed = 0;
    result.redirect = null;
    result.error = null;
    result.skipped = null;
    const [xdp] = this.#at('xdp', arrival);
    const fate = xdp === undefined ? this.#tc('tc-ingress', arrival, input) : this.#xdp(xdp, arrival, input);
    if (result.skipped !== null) return result;
    const last = this.#last;
    result.verdict = fate;
    result.outStart = last.programType.leave(last);
    result.outEnd = last.packet.end;
    return result;
  }

  #xdp(placed: Placed, arrival: number, input: PacketInput): Fate {
    const { error, skipped, redirect, retval } = this.#run(placed, input, arrival);
    if (skipped !== null) {
      this.#result.skipped = skipped;
      return 'drop';
    }
    if (error !== null) return 'ERROR';
    const before = placed.instance;
    switch (retval) {
      case XDP.pass:
        return this.#tc('tc-ingress', arrival, before);
      case XDP.tx:
        return this.#leavesXdp(arrival, before);
      case XDP.redirect:
        return redirect === null ? 'drop' : this.#xdpRedirect(redirect, arrival, before);
      default:
        return 'drop';
    }
  }

  #xdpRedirect({ ifindex, targets, map: name }: Redirect, arrival: number, before: Instance): Fate {
    if (ifindex !== null) return this.#leavesXdp(ifindex, before);
    // A broadcast goes out of several at once.
    if (targets !== undefined) return targets.length === 0 ? 'drop' : 'transmit';
    const map = this.#host.maps.find(({ spec }) => spec.name === name);
    return map?.type.name === 'cpumap' ? this.#tc('tc-ingress', arrival, before) : 'socket';
  }

  #leavesXdp(ifindex: number, before: Instance): Fate {
    return this.#egressAfterXdp ? this.#tc('tc-egress', ifindex, before) : 'transmit';
  }

  /** The programs of a tc hook, until one decides. */
  #tc(hook: 'tc-ingress' | 'tc-egress', ifindex: number, arriving: PacketInput | Instance): Fate {
    const accepted = hook === 'tc-ingress' ? 'stack' : 'transmit';
    let before = arriving;
    for (const placed of this.#at(hook, ifindex)) {
      const { error, skipped, redirect, retval } = this.#run(placed, before, ifindex);
      if (skipped !== null) {
        if (!(before instanceof Instance)) this.#result.skipped = skipped;
        return 'drop';
      }
      if (error !== null) return 'ERROR';
      switch (retval) {
        case TC.ok:
          return accepted;
        case TC.shot:
          return 'drop';
        case TC.stolen:
        case TC.trap:
          return 'stolen';
        case TC.redirect:
          if (redirect === null || redirect.ifindex === null) return 'drop';
          if (++this.#hops > MOST_HOPS) return 'redirect-loop';
          return this.#tc(`tc-${redirect.direction}`, redirect.ifindex, placed.instance);
      }
      before = placed.instance;
    }
    return accepted;
  }

  #run(placed: Placed, before: PacketInput | Instance, ifindex: number): PacketResult {
    const { instance } = placed;
    const ran = before instanceof Instance ? instance.runAfter(before, ifindex) : instance.runPacket(before);
    if (ran.skipped !== null) return ran;
    this.#last = instance;
    this.#executed += instance.executed;
    count(placed, ran.verdict);
    const result = this.#result;
    result.retval = ran.retval;
    result.error = ran.error;
    result.redirect = ran.redirect ?? result.redirect;
    return ran;
  }

  /** Those of a hook that see an interface, in their order. */
  #at(hook: Hook, ifindex: number): readonly Placed[] {
    return this.#placed.filter((each) => each.hook === hook && (each.ifindex === null || each.ifindex === ifindex));
  }

  /** Instructions that the last packet's run took, over all programs. */
  get executed(): number {
    return this.#executed;
  }

  get memory(): LinearMemory {
    return this.#host.memory;
  }

  get packet(): Packet {
    return this.#host.packet;
  }

  /** Of the last program that the packet met. */
  get programType(): ProgramType {
    return this.#last.programType;
  }

  get context(): number {
    return this.#last.context;
  }

  get hasRingBuffers(): boolean {
    return this.#host.hasRingBuffers;
  }

  get cpus(): number {
    return this.#host.cpus;
  }

  get cpu(): number {
    return this.#host.cpu;
  }

  set cpu(cpu: number) {
    this.#host.cpu = cpu;
  }

  get events(): ProgramEvent[] {
    return this.#host.events;
  }

  get traces(): string[] {
    return this.#host.traces;
  }

  get emitted(): EmittedPacket[] {
    return this.#host.emitted;
  }

  get desk(): MapDesk {
    return this.#host.desk;
  }

  dumpMaps(): MapDump[] {
    return this.#host.dumpMaps();
  }
}

interface LoadedStage extends Attachment {
  readonly hook: Hook;
  readonly ifindex: number | null;
}

function count(placed: Placed, verdict: string): void {
  const { packets, verdicts } = placed.tally;
  placed.tally.packets = packets + 1;
  const name = verdict in verdicts || placed.names < MOST_NAMES ? verdict : OTHER;
  if (!(name in verdicts)) placed.names++;
  verdicts[name] = (verdicts[name] ?? 0) + 1;
}

function loadStage({ object, program, type, ifindex, ...stage }: Stage, verify: boolean): LoadedStage {
  const loaded = loadRunnable(object, program, verify, type);
  const own = loaded.program.type;
  const hook = stage.hook ?? (own === 'xdp' ? 'xdp' : 'tc-ingress');
  if (!TYPES[hook].includes(own)) {
    const wanted = TYPES[hook].join(' or ');
    throw new OptionError('bad-option', `${hook} takes programs of type ${wanted}; ${loaded.program.name} is ${own}`);
  }
  return { object, loaded, verify, hook, ifindex: ifindex ?? null };
}

function requireOrder(stages: readonly LoadedStage[], arrival: number): void {
  if (!stages.some(({ hook, ifindex }) => hook !== 'tc-egress' && (ifindex ?? arrival) === arrival)) {
    throw new OptionError(
      'no-program',
      `nothing stands where packets arrive: no xdp or tc-ingress of interface ${arrival}`,
    );
  }
  const seen = new Set<string>();
  for (const { hook, ifindex } of stages) {
    if (hook !== 'xdp') continue;
    const where = ifindex === null ? 'every interface' : `interface ${ifindex}`;
    if (seen.has(where)) throw new OptionError('bad-option', `an interface has one XDP program; ${where} has two here`);
    seen.add(where);
  }
}
