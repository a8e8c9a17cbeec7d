/**
 * Is the verifier right about what a program can do? A program is run on the checking interpreter over random packets:
 * no access may go wrong, and at every step the registers must lie within one of the states that the verifier had at
 * that instruction. The states must come from a walk without pruning: a state that was not followed any further, as
 * nothing in it mattered, says nothing of the numbers behind it.
 */
import type { Facts } from '../../src/abi/facts.ts';
import { LoadError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Instance, type PacketInput } from '../../src/engine/instance.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import type { Scalar } from '../../src/verifier/values/scalar.ts';
import { FactsWatch } from './facts.ts';

/** As much of an abstract register as can be held against a number in a run. */
interface AbstractRegister {
  readonly kind: string;
  readonly value: Pick<Scalar, 'contains'>;
}

/** A frame's registers by number; what is missing or `unset` may hold anything. */
export type AbstractState = readonly (AbstractRegister | undefined)[];

/** States by `frame:pc`. */
export type States = ReadonlyMap<string, readonly AbstractState[]>;

export const stateKey = (frame: number, pc: number): string => `${frame}:${pc}`;

export interface Breach {
  readonly kind: 'bad access' | 'outside every state' | 'unreached instruction' | 'outside the facts';
  readonly packet: number;
  readonly pc: number;
  readonly message: string;
}

export interface SoundnessOptions {
  readonly seed: number;
  readonly packets: number;
  /** What the verifier recorded; without it only accesses are checked. */
  readonly states?: States;
  /** What the verifier proved. */
  readonly facts?: Facts;
}

/** Errors of a run that a verified program must never meet. A budget can end, a helper can be missing. */
const FORBIDDEN: ReadonlySet<string> = new Set(['bad-access', 'bad-instruction', 'bad-argument', 'pc-out-of-range', 'call-depth', 'division']); // biome-ignore format: a list
const BUDGET = 200_000;
const MEMORY = 1 << 22;
const LONGEST = 300;
const ETHERNET_HEADER = 14;

/** A helper may be known to the verifier that nobody can run here. */
export function canRun(object: ObjectSpec): boolean {
  try {
    new Instance(object, { verify: false, maxMemory: MEMORY });
    return true;
  } catch (error) {
    if (error instanceof LoadError && error.detail.code === 'helper-cannot-run') return false;
    throw error;
  }
}

/** Runs the object's program over random packets, whatever the verifier thinks of it; gives the first breach. */
export function findBreach(object: ObjectSpec, options: SoundnessOptions): Breach | undefined {
  const random = seededRandom(options.seed);
  let breach: Breach | undefined;
  let packet = 0;
  const { states, facts } = options;
  const instance: Instance = new Instance(object, {
    seed: options.seed,
    verify: false,
    budget: BUDGET,
    maxMemory: MEMORY,
    engine: 'interpreter',
    observe: (_, pc, frame, registers) => {
      breach ??= states && outside(states, frame, pc, registers, packet);
      const message = watch?.wrongAt(pc, frame, registers);
      if (message !== undefined) breach ??= { kind: 'outside the facts', packet, pc, message };
    },
  });
  const watch = facts && new FactsWatch(facts, instance);
  for (; packet < options.packets && breach === undefined; packet++) {
    watch?.begin();
    const { error } = instance.runPacket(randomPacket(random.below(2) === 0 ? 64 : LONGEST, random.u32));
    if (error !== null && FORBIDDEN.has(error.code)) {
      breach ??= { kind: 'bad access', packet, pc: error.pc, message: error.message };
    }
  }
  return breach;
}

function outside(
  states: States,
  frame: number,
  pc: number,
  registers: BigUint64Array,
  packet: number,
): Breach | undefined {
  const known = states.get(stateKey(frame, pc));
  if (known === undefined) {
    return { kind: 'unreached instruction', packet, pc, message: `the verifier never came to ${pc} in frame ${frame}` };
  }
  if (known.some((state) => holds(state, registers))) return undefined;
  const shown = Array.from(registers.subarray(0, 10), (value, i) => `r${i}=0x${value.toString(16)}`).join(' ');
  return { kind: 'outside every state', packet, pc, message: `none of ${known.length} states holds ${shown}` };
}

function holds(state: AbstractState, registers: BigUint64Array): boolean {
  // Addresses have no numbers in a state; that they are good the interpreter sees at each access.
  return state.every((register, i) => register?.kind !== 'scalar' || register.value.contains(registers[i]!));
}

/** Of at most `longest` bytes, sometimes shorter than its headers; EtherType 0x88b5 means nothing to anybody. */
function randomPacket(longest: number, u32: () => number): PacketInput {
  const length = ETHERNET_HEADER + (u32() % (longest - ETHERNET_HEADER));
  const bytes = Uint8Array.from({ length }, () => u32() & 0xff);
  bytes.set([0x88, 0xb5], 12);
  return { bytes, start: 0, end: length, originalLength: length, seconds: 0, nanoseconds: 0 };
}
