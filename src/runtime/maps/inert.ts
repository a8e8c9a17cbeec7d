import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { type MapTypeName, mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';

/**
 * Maps of sockets, tasks, cgroups and of what user space writes: nobody fills them here, so that they are empty, and an
 * object that has them beside others runs. Programs that call more than a lookup on one are refused by the helper's name.
 */
const HELPERS: Partial<Record<MapTypeName, readonly string[]>> = {
  sockmap: ['sk_redirect_map', 'sock_map_update', 'map_delete_elem', 'msg_redirect_map', 'sk_select_reuseport', 'map_lookup_elem', 'map_update_elem'],
  sockhash: ['sk_redirect_hash', 'sock_hash_update', 'map_delete_elem', 'msg_redirect_hash', 'sk_select_reuseport', 'map_lookup_elem', 'map_update_elem'],
  stack_trace: ['get_stackid'],
  cgroup_array: ['skb_under_cgroup', 'current_task_under_cgroup'],
  cgroup_storage: ['get_local_storage'],
  percpu_cgroup_storage: ['get_local_storage'],
  reuseport_sockarray: ['sk_select_reuseport'],
  sk_storage: ['sk_storage_get', 'sk_storage_delete', 'kptr_xchg'],
  inode_storage: ['inode_storage_get', 'inode_storage_delete'],
  task_storage: ['task_storage_get', 'task_storage_delete'],
  cgrp_storage: ['cgrp_storage_get', 'cgrp_storage_delete'],
  user_ringbuf: ['user_ringbuf_drain'],
}; // biome-ignore format: a table

export const inertMapTypes: readonly MapType[] = Object.entries(HELPERS).map(([name, helpers]) => {
  const type: MapType = {
    name,
    id: mapTypeId(name as MapTypeName),
    perCpu: false,
    threads: 'free',
    helpers: new Set(helpers),
    check: () => undefined,
    bytes: (spec) => spec.keySize,
    create: (spec, host) => new InertMap(type, spec, host),
  };
  return type;
});

class InertMap extends BaseMap {
  constructor(type: MapType, spec: MapSpec, host: MapHost) {
    super(type, spec, host, host.start);
  }

  protected override read(): undefined {
    return undefined;
  }

  protected override write(): number {
    return -ERRNO.EOPNOTSUPP;
  }

  *entries(): Generator<MapEntry> {}

  clear(): void {}
}
