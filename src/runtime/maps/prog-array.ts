import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType, ProgramArray } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { zeroBytes } from './bytes.ts';
import { BPF_F_NUMA_NODE } from './flags.ts';
import { Layout } from './layout.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, checkKeySize, firstRefusal } from './rules.ts';

export const progArray: MapType = {
  name: 'prog_array',
  id: mapTypeId('prog_array'),
  perCpu: false,
  helpers: new Set(['tail_call']),
  check: (spec) =>
    firstRefusal(
      checkKeySize(spec, 4),
      spec.valueSize !== 4 && `value_size is ${spec.valueSize} and must be 4`,
      checkEntries(spec),
      checkFlags(spec, BPF_F_NUMA_NODE | ACCESS_FLAGS),
    ),
  bytes: (spec) => plan(spec, 0).end,
  create: (spec, host) => new ProgramArrayMap(spec, host),
};

/** Programs are words of index + 1, out of programs' reach: a map of zero bytes is empty. */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const programs = layout.words(spec.maxEntries);
  const staging = layout.area(8);
  return { programs, staging, end: layout.end };
}

/** For the user a value is the program's index among the instance's programs, 4 bytes. */
class ProgramArrayMap extends BaseMap implements ProgramArray {
  readonly #start: number;

  constructor(spec: MapSpec, host: MapHost) {
    const { programs, staging } = plan(spec, host.start);
    super(progArray, spec, host, staging);
    this.#start = programs;
  }

  programAt(index: number): number {
    return index < this.spec.maxEntries ? this.memory.u32[(this.#start >>> 2) + index]! - 1 : -1;
  }

  setProgram(index: number, program: number): void {
    if (index < this.spec.maxEntries) this.memory.u32[(this.#start >>> 2) + index] = program + 1;
  }

  protected override read(key: number): Uint8Array | undefined {
    const program = this.programAt(this.memory.view.getUint32(key, true));
    return program < 0 ? undefined : word(program);
  }

  protected override write(key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!(value instanceof Uint8Array) || value.length !== 4) return -ERRNO.EINVAL;
    if (flags !== 0n) return -ERRNO.EINVAL;
    const index = this.memory.view.getUint32(key, true);
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    this.setProgram(index, new DataView(value.buffer, value.byteOffset).getUint32(0, true));
    return 0;
  }

  protected override erase(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    if (this.programAt(index) < 0) return -ERRNO.ENOENT;
    this.setProgram(index, -1);
    return 0;
  }

  /** The slots that are set. */
  *entries(): Generator<MapEntry> {
    for (let index = 0; index < this.spec.maxEntries; index++) {
      const program = this.programAt(index);
      if (program >= 0) yield { key: word(index), value: word(program) };
    }
  }

  clear(): void {
    zeroBytes(this.memory, this.#start, this.spec.maxEntries * 4);
  }
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
