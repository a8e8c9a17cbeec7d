/** The same packets through the same program on both engines: all that can be seen of a run, as text and bytes. */
import { LoadError } from '../../src/base/errors.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Instance, type InstanceOptions, type PacketInput } from '../../src/engine/instance.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';

export interface Trial {
  readonly object: ObjectSpec;
  readonly packets: readonly PacketInput[];
  readonly options?: InstanceOptions;
}

const DEFAULTS: InstanceOptions = { verify: false, budget: 5000, maxMemory: 1 << 21 };
const PAGE = 4096;

/** False for programs of helpers that only the verifier knows. */
export function canRun(object: ObjectSpec): boolean {
  try {
    new Instance(object, DEFAULTS);
    return true;
  } catch (error) {
    if (error instanceof LoadError && error.detail.code === 'helper-cannot-run') return false;
    throw error;
  }
}

/** Where the engines first differ, in words; undefined where they do not. `executed` counts the interpreter's last run. */
export function differenceOfEngines({ object, packets, options }: Trial): string | undefined {
  const [one, other] = (['interpreter', 'jit'] as const).map(
    (engine) => new Instance(object, { ...DEFAULTS, ...options, engine }),
  ) as [Instance, Instance];
  for (const [index, packet] of packets.entries()) {
    const [told, here] = [answer(one, packet), answer(other, packet)];
    if (told !== here) return `packet ${index}: the interpreter ${told}, the JIT ${here}`;
    const at = firstOtherByte(one.memory.u8, other.memory.u8);
    if (at !== undefined) return `packet ${index} (${told}): byte ${at}, ${one.memory.describe(at)}`;
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

/** Up to the control block, the last page that holds anything: the JIT alone writes there. */
function firstOtherByte(one: Uint8Array, other: Uint8Array): number | undefined {
  const end = Math.floor(other.findLastIndex((byte) => byte !== 0) / PAGE) * PAGE;
  if (Buffer.compare(one.subarray(0, end), other.subarray(0, end)) === 0) return undefined;
  return one.subarray(0, end).findIndex((byte, at) => byte !== other[at]);
}

/** Instructions that the first packet's run takes on the interpreter. */
export function instructionsOf({ object, packets, options }: Trial): number {
  const instance = new Instance(object, { ...DEFAULTS, ...options });
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
