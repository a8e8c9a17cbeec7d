/**
 * Layouts of the contexts that programs get as r1, as linux/bpf.h lays them out. Addresses fit in 32 bits here, so
 * `data` and its like hold true addresses and no access needs rewriting.
 */
export interface ContextField {
  readonly name: string;
  /** Byte offset and size; an array field has `count` elements of `size` bytes. */
  readonly offset: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly count: number;
}

export interface ContextLayout {
  readonly struct: string;
  readonly size: number;
  readonly fields: readonly ContextField[];
}

/** Field names in order; `name*n` is an array, `name:8` has 8 bytes; fields are aligned to their size, as in C. */
function layout(struct: string, names: string): ContextLayout {
  let offset = 0;
  const fields = names.split(/\s+/).map((text) => {
    const [, name, bytes, elements] = /^(\w+)(?::(\d))?(?:\*(\d+))?$/.exec(text)!;
    const size = Number(bytes ?? 4) as ContextField['size'];
    const count = Number(elements ?? 1);
    offset = Math.ceil(offset / size) * size;
    const field = { name: name!, offset, size, count };
    offset += size * count;
    return field;
  });
  return { struct, size: Math.ceil(offset / 8) * 8, fields };
}

export const XDP_MD = layout('xdp_md', 'data data_end data_meta ingress_ifindex rx_queue_index egress_ifindex');

export const SK_BUFF = layout(
  '__sk_buff',
  'len pkt_type mark queue_mapping protocol vlan_present vlan_tci vlan_proto priority ingress_ifindex ifindex ' +
    'tc_index cb*5 hash tc_classid data data_end napi_id family remote_ip4 local_ip4 remote_ip6*4 local_ip6*4 ' +
    'remote_port local_port data_meta flow_keys:8 tstamp:8 wire_len gso_segs sk:8 gso_size tstamp_type:1 hwtstamp:8',
);

export const BPF_SOCK = layout(
  'bpf_sock',
  'bound_dev_if family type protocol mark priority src_ip4 src_ip6*4 src_port dst_port:2 dst_ip4 dst_ip6*4 state ' +
    'rx_queue_mapping',
);

/** Offset of a field by name, for code that reads or writes it: `offsetIn(SK_BUFF, 'mark')`. */
export function offsetIn(context: ContextLayout, name: string): number {
  const field = context.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new RangeError(`struct ${context.struct} has no field ${name}`);
  return field.offset;
}
