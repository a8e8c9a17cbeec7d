/** The same packets through the same program on both engines: all that can be seen of a run, as text and bytes. */
import { LoadError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Instance, type InstanceOptions, type PacketInput } from '../../src/engine/instance.ts';
import { ProgramRefused } from '../../src/engine/refused.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';

export interface Trial {
  readonly object: ObjectSpec;
  readonly packets: readonly PacketInput[];
  readonly options?: InstanceOptions;
}

const DEFAULTS: InstanceOptions = { verify: false, budget: 5000, maxMemory: 1 << 21 };
const PAGE = 4096;

/** False for programs that are refused, or of helpers that only the verifier knows. */
export function canRun(object: ObjectSpec, verify: boolean): boolean {
  try {
    new Instance(object, { ...DEFAULTS, engine: 'interpreter', verify });
    return true;
  } catch (error) {
    if (error instanceof ProgramRefused) return false;
    if (error instanceof LoadError && error.detail.code === 'helper-cannot-run') return false;
    throw error;
  }
}

/**
 * What is compared with the interpreter: the JIT trusting the verifier's facts, and checking each access all the same;
 * and both where atomic operations and locks of maps are real.
 */
const seat = { number: 0, seats: 1 };
const OTHERS: Readonly<Record<string, InstanceOptions>> = {
  'the JIT': { sanitize: false },
  'the sanitizing JIT': { sanitize: true },
  'the JIT in shared memory': { seat },
  'the interpreter in shared memory': { engine: 'interpreter', seat },
};

/** Where the engines first differ, in words; undefined where they do not. */
export function differenceOfEngines({ object, packets, options }: Trial): string | undefined {
  const settings = { ...DEFAULTS, ...options };
  const make = (own: InstanceOptions) => new Instance(object, { ...settings, ...own });
  const referee = make({ engine: 'interpreter' });
  const others = Object.entries(OTHERS)
    // Without facts there is nothing to trust.
    .filter(([, { sanitize }]) => settings.verify || sanitize === true)
    // Values of several CPUs lie farther apart there, so that bytes cannot be compared.
    .filter(([, own]) => own.seat === undefined || (settings.cpus ?? 1) === 1)
    .map(([name, own]) => [name, make({ engine: 'jit', ...own })] as const);
  for (const [index, packet] of packets.entries()) {
    referee.cpu = index % referee.cpus;
    const told = answer(referee, packet);
    for (const [name, other] of others) {
      other.cpu = referee.cpu;
      const here = answer(other, packet);
      if (told !== here) return `packet ${index}: the interpreter ${told}, ${name} ${here}`;
      const at = firstOtherByte(referee.memory.u8, other.memory.u8);
      if (at !== undefined) return `packet ${index} (${told}): byte ${at}, ${referee.memory.describe(at)}, by ${name}`;
    }
  }
  return undefined;
}

function answer(instance: Instance, packet: PacketInput): string {
  const { retval, verdict, skipped, error, redirect } = instance.runPacket(packet);
  const events = instance.events.splice(0).map(({ bytes }) => bytes.toHex());
  const emitted = instance.emitted.splice(0).map(({ bytes }) => bytes.toHex());
  const words = JSON.stringify({ retval, verdict, skipped, redirect, events, emitted }, (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  );
  return `${words} ${error?.code} ${error?.message} after ${instance.executed}`;
}

/** Up to the control block, the last page that holds anything in a memory without locks: the JIT alone writes there. */
function firstOtherByte(one: Uint8Array, other: Uint8Array): number | undefined {
  const end = Math.floor(one.findLastIndex((byte) => byte !== 0) / PAGE) * PAGE;
  if (Buffer.compare(one.subarray(0, end), other.subarray(0, end)) === 0) return undefined;
  return one.subarray(0, end).findIndex((byte, at) => byte !== other[at]);
}

/** Instructions that the first packet's run takes on the interpreter. */
export function instructionsOf({ object, packets, options }: Trial): number {
  const instance = new Instance(object, { ...DEFAULTS, ...options, engine: 'interpreter' });
  instance.runPacket(packets[0]!);
  return instance.executed;
}

/** Of an EtherType that means nothing to anybody. */
export function randomPackets(seed: number, count: number): PacketInput[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const bytes = Uint8Array.from({ length: 14 + random.below(200) }, () => random.below(256));
    bytes.set([0x88, 0xb5], 12);
    return { bytes, start: 0, end: bytes.length, originalLength: bytes.length, seconds: 0, nanoseconds: 0 };
  });
}
