import { ERRNO } from '../../abi/errno.ts';
import type { MapHost, MapType, ProgramArray } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY } from './flags.ts';
import { slotRoutines } from './routines/slots.ts';
import { checkEntries, checkFlags, checkKeySize, checkValueSize, firstRefusal } from './rules.ts';
import { SlotMap, slotMapBytes, word } from './slot-map.ts';

export const progArray: MapType = {
  name: 'prog_array',
  id: mapTypeId('prog_array'),
  perCpu: false,
  threads: 'free',
  helpers: new Set(['tail_call']),
  check: (spec) =>
    firstRefusal(
      checkKeySize(spec, 4),
      checkValueSize(spec, 4),
      checkEntries(spec),
      checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY),
    ),
  bytes: slotMapBytes,
  create: (spec, host) => new ProgramArrayMap(spec, host),
};

/** For the user a value is the program's index among the instance's programs, 4 bytes. */
class ProgramArrayMap extends SlotMap implements ProgramArray {
  protected override readonly deleteErrors = { beyond: -ERRNO.E2BIG, absent: -ERRNO.ENOENT };

  constructor(spec: MapSpec, host: MapHost) {
    super(progArray, spec, host, false);
  }

  get routines(): MapRoutines {
    return slotRoutines(this.areas, { target: (value) => value.load() });
  }

  programAt(index: number): number {
    return this.has(index) ? this.memory.u32[this.addressOf(index) >>> 2]! : -1;
  }

  setProgram(index: number, program: number): void {
    if (index >= this.spec.maxEntries) return;
    if (program < 0) this.drop(index);
    else this.put(index, word(program));
  }

  protected override refusal(index: number, _value: Uint8Array, flags: bigint): number {
    if (flags !== 0n) return -ERRNO.EINVAL;
    return index >= this.spec.maxEntries ? -ERRNO.E2BIG : 0;
  }
}
