/**
 * Names of BPF_MAP_TYPE_* (linux/bpf.h) as libbpf writes them; the index is the id. Some have no runtime here: they are
 * named so that a refusal can name them.
 */
const MAP_TYPE_NAMES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
  'insn_array',
] as const;

export type MapTypeName = (typeof MAP_TYPE_NAMES)[number];

/** The id of a name in the table. */
export function mapTypeId(name: MapTypeName): number {
  return MAP_TYPE_NAMES.indexOf(name);
}

/** `lru_hash`, or `map type 77` for an id that no kernel header names. */
export function mapTypeName(id: number): string {
  return MAP_TYPE_NAMES[id] ?? `map type ${id}`;
}
