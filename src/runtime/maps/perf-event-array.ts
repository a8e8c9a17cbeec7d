import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType, PerfEventArray } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_F_NUMA_NODE, BPF_F_PRESERVE_ELEMS, BPF_F_RDONLY, BPF_F_WRONLY } from './flags.ts';
import { checkEntries, checkFlags, checkKeySize, checkValueSize, firstRefusal } from './rules.ts';
import { SlotMap, slotMapBytes, word } from './slot-map.ts';

export const perfEventArray: MapType = {
  name: 'perf_event_array',
  id: mapTypeId('perf_event_array'),
  perCpu: false,
  threads: 'free',
  helpers: new Set(['perf_event_output', 'perf_event_read', 'perf_event_read_value', 'skb_output', 'xdp_output']),
  check: (spec) =>
    firstRefusal(
      checkKeySize(spec, 4),
      checkValueSize(spec, 4),
      checkEntries(spec),
      checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_PRESERVE_ELEMS),
    ),
  bytes: slotMapBytes,
  create: (spec, host) => new EventArray(spec, host),
};

/** Which CPUs' events are heard: all of them, as when a reader has opened the map. It shows no entries. */
class EventArray extends SlotMap implements PerfEventArray {
  protected override readonly deleteErrors = { beyond: -ERRNO.E2BIG, absent: -ERRNO.ENOENT };

  constructor(spec: MapSpec, host: MapHost) {
    super(perfEventArray, spec, host, false);
    if (host.adopts !== true) this.clear();
  }

  isOpen(index: number): boolean {
    return this.has(index);
  }

  protected override refusal(index: number, _value: Uint8Array, flags: bigint): number {
    if (flags !== 0n) return -ERRNO.EINVAL;
    return index >= this.spec.maxEntries ? -ERRNO.E2BIG : 0;
  }

  protected override read(): undefined {
    return undefined;
  }

  override *entries(): Generator<MapEntry> {}

  override clear(): void {
    super.clear();
    for (let cpu = 0; cpu < Math.min(this.host.cpus, this.spec.maxEntries); cpu++) this.put(cpu, word(cpu));
  }
}
