import { invariant } from '../base/errors.ts';
import type { MapSpec } from '../object/spec.ts';
import { mapSpec } from '../runtime/maps/test-host.ts';
import { Instance, type InstanceOptions, type PacketResult } from './instance.ts';
import { assembleObject } from './read-object.ts';

/** For tests: a program in assembly. */
export interface Subject extends InstanceOptions {
  readonly type?: string;
  readonly maps?: readonly MapSpec[];
  readonly license?: string;
  /** `kfunc[bpf_dynptr_size]` in the text is one of these. */
  readonly kernelFunctions?: readonly string[];
}

export function instanceOf(
  text: string,
  { type = 'xdp', maps = [], license = 'GPL', kernelFunctions = [], ...options }: Subject = {},
): Instance {
  const kernelSymbols = kernelFunctions.map((name) => ({ name, kind: 'kfunc' as const, weak: false, btfId: null }));
  const numbered = text.replaceAll(/kfunc\[(\w+)\]/g, (_, name: string) => `kfunc[${kernelFunctions.indexOf(name)}]`);
  const object = { ...assembleObject(numbered, { type, maps, license }), kernelSymbols };
  const instance = new Instance(object, options);
  if (options.engine === undefined && options.observe === undefined && options.clock !== 'wall') {
    const engine = instance.generatedText === '' ? 'jit' : 'interpreter';
    others.set(instance, new Instance(object, { ...options, engine }));
  }
  return instance;
}

/** The same on the other engine, for instances whose engine nobody chose. */
const others = new WeakMap<Instance, Instance>();

function otherOf(instance: Instance): Instance | undefined {
  const other = others.get(instance);
  // A test that edits the maps edits them in one.
  return other !== undefined && mapsOf(other) === mapsOf(instance) ? other : undefined;
}

const mapsOf = (instance: Instance) => JSON.stringify(instance.dumpMaps());

function whatCanBeSeen(
  instance: Instance,
  { retval, verdict, error, skipped, outStart, outEnd }: PacketResult,
): string {
  const bytes = instance.memory.u8.subarray(outStart, outEnd).toHex();
  return JSON.stringify([retval, verdict, error?.message, skipped, instance.executed, bytes, mapsOf(instance)]);
}

/** Runs one frame on both engines (64 bytes of a local experimental EtherType unless told) that arrives at the given second. */
export function runOn(
  instance: Pick<Instance, 'runPacket'>,
  frame = new Uint8Array(64),
  seconds = 0,
  nanoseconds = 0,
): PacketResult {
  const bytes = frame.slice();
  if (bytes[12] === 0 && bytes[13] === 0) bytes.set([0x88, 0xb5], 12);
  const packet = { bytes, start: 0, end: bytes.length, originalLength: bytes.length, seconds, nanoseconds };
  const other = instance instanceof Instance ? otherOf(instance) : undefined;
  const result = instance.runPacket(packet);
  if (instance instanceof Instance && other !== undefined) {
    other.cpu = instance.cpu;
    const told = whatCanBeSeen(other, other.runPacket(packet));
    invariant(told === whatCanBeSeen(instance, result), 'both engines give the same');
  }
  return result;
}

/** For tests: a map of 4-byte keys and 8-byte values, four of them, unless told. */
export function mapSpecOf({ type, ...fields }: Partial<MapSpec> & Pick<MapSpec, 'name' | 'type'>): MapSpec {
  return mapSpec(type, { valueSize: 8, ...fields });
}
