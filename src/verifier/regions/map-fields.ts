import { UNKNOWN_STRUCT } from '../state/kernel-structs.ts';
import { ANYTHING, pointer, UNTRUSTED } from '../state/register.ts';
import { bytesOf, type Region } from './region.ts';

/**
 * What programs may read of struct bpf_map, of which Linux lets them see all that BTF knows: offsets and sizes on
 * x86-64 with the options that distributions set, asked of Linux 6.18. Parts that only the kernel makes sense of
 * (its locks and counters) are left out.
 */
const NUMBERS: readonly (readonly [offset: number, size: number])[] = [
  [0, 32], // sha
  [32, 4], // excl
  [64, 4], // map_type
  [68, 4], // key_size
  [72, 4], // value_size
  [76, 4], // max_entries
  [80, 8], // map_extra
  [88, 4], // map_flags
  [92, 4], // id
  [104, 4], // numa_node
  [108, 4], // btf_key_type_id
  [112, 4], // btf_value_type_id
  [116, 4], // btf_vmlinux_value_type_id
  [136, 16], // name
  [256, 1], // bypass_spec_v1
  [257, 1], // frozen
  [258, 1], // init_private
  [259, 1], // free_after_mult_rcu_gp
  [260, 1], // free_after_rcu_gp
  [280, 8], // cookie
];
/** ops, inner_map_meta, security, record, btf, objcg, owner, elem_count, excl_prog_sha: read whole, and not followed. */
const POINTERS: ReadonlySet<number> = new Set([40, 48, 56, 96, 120, 128, 248, 272, 288]);

export const mapFieldsRegion: Region = {
  read(v, { index, offset, size }) {
    if (NUMBERS.some(([start, length]) => offset >= start && offset + size <= start + length)) return ANYTHING;
    if (size === 8 && POINTERS.has(offset)) return pointer('btf', { flags: UNTRUSTED, target: UNKNOWN_STRUCT });
    v.refuse(
      'not-readable',
      `${bytesOf(offset, size)} through r${index} are no field of struct bpf_map that can be read`,
    );
    return undefined;
  },
  write: (v, { index }) => v.refuse('write-read-only', `r${index} is a map, whose fields can only be read`),
};
