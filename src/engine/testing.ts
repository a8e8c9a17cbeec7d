import type { MapSpec } from '../object/spec.ts';
import { mapSpec } from '../runtime/maps/test-host.ts';
import { Instance, type InstanceOptions, type PacketResult } from './instance.ts';
import { assembleObject } from './read-object.ts';

/** For tests: a program in assembly. */
export interface Subject extends InstanceOptions {
  readonly type?: string;
  readonly maps?: readonly MapSpec[];
  readonly license?: string;
}

export function instanceOf(
  text: string,
  { type = 'xdp', maps = [], license = 'GPL', ...options }: Subject = {},
): Instance {
  return new Instance(assembleObject(text, { type, maps, license }), options);
}

/** Runs one frame (64 bytes of a local experimental EtherType unless told) that arrives at the given second. */
export function runOn(
  instance: Pick<Instance, 'runPacket'>,
  frame = new Uint8Array(64),
  seconds = 0,
  nanoseconds = 0,
): PacketResult {
  const bytes = frame.slice();
  if (bytes[12] === 0 && bytes[13] === 0) bytes.set([0x88, 0xb5], 12);
  return instance.runPacket({ bytes, start: 0, end: bytes.length, originalLength: bytes.length, seconds, nanoseconds });
}

/** For tests: a map of 4-byte keys and 8-byte values, four of them, unless told. */
export function mapSpecOf({ type, ...fields }: Partial<MapSpec> & Pick<MapSpec, 'name' | 'type'>): MapSpec {
  return mapSpec(type, { valueSize: 8, ...fields });
}
