import { ERRNO } from '../../abi/errno.ts';
import type { MapHost, MapType, RedirectMap } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapRoutines } from '../../abi/routines.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_EXIST, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY, BPF_NOEXIST } from './flags.ts';
import { slotRoutines } from './routines/slots.ts';
import { checkEntries, checkFlags, checkKeySize, checkValueSize, firstRefusal } from './rules.ts';
import { SlotMap, slotMapBytes, word } from './slot-map.ts';

export const xskmap: MapType = {
  name: 'xskmap',
  id: mapTypeId('xskmap'),
  perCpu: false,
  threads: 'free',
  helpers: new Set(['redirect_map', 'map_lookup_elem']),
  check: (spec) =>
    firstRefusal(
      checkEntries(spec),
      checkKeySize(spec, 4),
      checkValueSize(spec, 4),
      checkFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY),
    ),
  bytes: slotMapBytes,
  create: (spec, host) => new SocketMap(spec, host),
};

/**
 * AF_XDP sockets by queue. There are no sockets here: the user's value, any 4 bytes, says that one is there. A
 * program's lookup gives a struct bpf_xdp_sock, whose one member is the queue's number: the index.
 */
class SocketMap extends SlotMap implements RedirectMap {
  constructor(spec: MapSpec, host: MapHost) {
    super(xskmap, spec, host, true);
  }

  get routines(): MapRoutines {
    return slotRoutines(this.areas, { lookup: (value) => value, target: (_value, index) => index });
  }

  override lookup(key: number): number {
    const index = this.memory.view.getUint32(key, true);
    return this.has(index) ? this.addressOf(index) : 0;
  }

  targetAt(key: number): number {
    return this.has(key) ? key : -1;
  }

  targets(): number[] {
    return [...this.indices()];
  }

  protected override refusal(index: number, _value: Uint8Array, flags: bigint): number {
    if (flags > BPF_EXIST) return -ERRNO.EINVAL;
    if (index >= this.spec.maxEntries) return -ERRNO.E2BIG;
    if (this.has(index)) return flags === BigInt(BPF_NOEXIST) ? -ERRNO.EEXIST : 0;
    return flags === BigInt(BPF_EXIST) ? -ERRNO.ENOENT : 0;
  }

  protected override put(index: number, _value: Uint8Array): void {
    super.put(index, word(index));
  }
}
