import { ERRNO } from '../../abi/errno.ts';
import type { MapHost, MapType, RedirectMap } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_EXIST, BPF_F_NUMA_NODE, BPF_NOEXIST } from './flags.ts';
import { slotRoutines } from './routines/slots.ts';
import { checkEntries, checkFlags, checkKeySize, firstRefusal } from './rules.ts';
import { readWord, SlotMap, slotMapBytes } from './slot-map.ts';

/** The most CPUs that Linux can be built for on x86-64; a kernel's own limit (NR_CPUS) may be lower. */
const MAX_CPUS = 8192;
const MAX_QUEUE = 16384;

export const cpumap: MapType = {
  name: 'cpumap',
  id: mapTypeId('cpumap'),
  perCpu: false,
  threads: 'free',
  helpers: new Set(['redirect_map']),
  check: (spec) =>
    firstRefusal(
      checkEntries(spec),
      checkKeySize(spec, 4),
      spec.valueSize !== 4 &&
        spec.valueSize !== 8 &&
        `value_size is ${spec.valueSize} and must be 4 (a queue's length) or 8 (struct bpf_cpumap_val)`,
      checkFlags(spec, BPF_F_NUMA_NODE),
      spec.maxEntries > MAX_CPUS && `max_entries is ${spec.maxEntries} and must be at most ${MAX_CPUS}`,
    ),
  bytes: slotMapBytes,
  create: (spec, host) => new CpuMap(spec, host),
};

/** CPUs by number; a value is the length of the CPU's queue, and 0 takes the CPU out. */
class CpuMap extends SlotMap implements RedirectMap {
  constructor(spec: MapSpec, host: MapHost) {
    super(cpumap, spec, host, false);
  }

  get routines(): MapRoutines {
    return slotRoutines(this.areas, { target: (_value, index) => index });
  }

  targetAt(key: number): number {
    return this.has(key) ? key : -1;
  }

  targets(): number[] {
    return [...this.indices()];
  }

  protected override refusal(index: number, value: Uint8Array, flags: bigint): number {
    if (flags > BPF_EXIST) return -ERRNO.EINVAL;
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    if (flags === BigInt(BPF_NOEXIST)) return -ERRNO.EEXIST;
    if (readWord(value) > MAX_QUEUE) return -ERRNO.EOVERFLOW;
    if (index >= this.host.cpus) return -ERRNO.ENODEV;
    // A program to run on that CPU: none that the user could name here.
    return value.length === 8 && (readWord(value, 4) | 0) > 0 ? -ERRNO.EINVAL : 0;
  }

  protected override put(index: number, value: Uint8Array): void {
    const kept = value.slice();
    kept.fill(0, 4);
    if (readWord(value) === 0) this.drop(index);
    else super.put(index, kept);
  }
}
