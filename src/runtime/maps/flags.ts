/** Flags of map creation and of updates (linux/bpf.h). */
export const BPF_F_NO_PREALLOC = 1 << 0;
export const BPF_F_NO_COMMON_LRU = 1 << 1;
export const BPF_F_NUMA_NODE = 1 << 2;
export const BPF_F_RDONLY = 1 << 3;
export const BPF_F_WRONLY = 1 << 4;
export const BPF_F_ZERO_SEED = 1 << 6;
export const BPF_F_RDONLY_PROG = 1 << 7;
export const BPF_F_WRONLY_PROG = 1 << 8;
export const BPF_F_MMAPABLE = 1 << 10;
export const BPF_F_PRESERVE_ELEMS = 1 << 11;
export const BPF_F_INNER_MAP = 1 << 12;

const NAMES: readonly (readonly [number, string])[] = [
  [BPF_F_NO_PREALLOC, 'BPF_F_NO_PREALLOC'],
  [BPF_F_NO_COMMON_LRU, 'BPF_F_NO_COMMON_LRU'],
  [BPF_F_NUMA_NODE, 'BPF_F_NUMA_NODE'],
  [BPF_F_RDONLY, 'BPF_F_RDONLY'],
  [BPF_F_WRONLY, 'BPF_F_WRONLY'],
  [1 << 5, 'BPF_F_STACK_BUILD_ID'],
  [BPF_F_ZERO_SEED, 'BPF_F_ZERO_SEED'],
  [BPF_F_RDONLY_PROG, 'BPF_F_RDONLY_PROG'],
  [BPF_F_WRONLY_PROG, 'BPF_F_WRONLY_PROG'],
  [1 << 9, 'BPF_F_CLONE'],
  [BPF_F_MMAPABLE, 'BPF_F_MMAPABLE'],
  [BPF_F_PRESERVE_ELEMS, 'BPF_F_PRESERVE_ELEMS'],
  [BPF_F_INNER_MAP, 'BPF_F_INNER_MAP'],
  [1 << 13, 'BPF_F_LINK'],
  [1 << 14, 'BPF_F_PATH_FD'],
  [1 << 15, 'BPF_F_VTYPE_BTF_OBJ_FD'],
  [1 << 16, 'BPF_F_TOKEN_FD'],
  [1 << 17, 'BPF_F_SEGV_ON_FAULT'],
  [1 << 18, 'BPF_F_NO_USER_CONV'],
];

/** `BPF_F_NO_PREALLOC | 0x8000000`: flags in words. */
export function flagNames(flags: number): string {
  let rest = flags >>> 0;
  const names: string[] = [];
  for (const [bit, name] of NAMES) {
    if ((rest & bit) === 0) continue;
    names.push(name);
    rest = (rest & ~bit) >>> 0;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join(' | ');
}

const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;
const BPF_F_LOCK = 4n;

/** BPF_ANY, BPF_NOEXIST or BPF_EXIST with BPF_F_LOCK set aside; −1 for other flags. */
export function updateMode(flags: bigint): number {
  // A value has no lock that could be held here: the array asks for the bit itself, for its order of refusals.
  if (flags === 0n) return BPF_ANY;
  const mode = Number((flags & BPF_F_LOCK) === 0n ? flags : flags ^ BPF_F_LOCK);
  return mode <= BPF_EXIST ? mode : -1;
}

export function wantsLock(flags: bigint): boolean {
  return (flags & BPF_F_LOCK) !== 0n;
}
