import type { MapSpec } from '../object/spec.ts';
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
export function runOn(instance: Instance, frame = new Uint8Array(64), seconds = 0, nanoseconds = 0): PacketResult {
  const bytes = frame.slice();
  if (bytes[12] === 0 && bytes[13] === 0) bytes.set([0x88, 0xb5], 12);
  return instance.runPacket({ bytes, start: 0, end: bytes.length, originalLength: bytes.length, seconds, nanoseconds });
}

export function mapSpecOf(fields: Partial<MapSpec> & Pick<MapSpec, 'name' | 'type'>): MapSpec {
  return {
    keySize: 4,
    valueSize: 8,
    maxEntries: 4,
    flags: 0,
    mapExtra: 0n,
    pinning: 0,
    numaNode: 0,
    keyBtfId: null,
    valueBtfId: null,
    inner: null,
    section: '.maps',
    data: null,
    values: [],
    ...fields,
  };
}
