import type { Btf } from './btf/btf.ts';

/**
 * What an object file holds, after linking, before anything depends on a machine: the same bytes always give the same
 * spec. Instructions are wire bytes (RFC 9669, section 3) in which relocations are done in the kernel's own manner:
 * a map is `src_reg` 1 (BPF_PSEUDO_MAP_FD) with the index into `maps` where Linux has a file descriptor, a variable is
 * `src_reg` 2 (BPF_PSEUDO_MAP_VALUE) with map index and byte offset, a function pointer is `src_reg` 4, a local call
 * `src_reg` 1 with a relative offset, a kfunc call `src_reg` 2 with the index into `kernelSymbols`.
 */
export interface ObjectSpec {
  /** From section `license`; empty when there is none. */
  readonly license: string;
  readonly programs: readonly ProgramSpec[];
  readonly maps: readonly MapSpec[];
  readonly btf: Btf | null;
  /** What CO-RE was resolved against, where that is not the object itself: the kernel's structures are as it says. */
  readonly targetBtf?: Btf;
  /** Externs that live in the kernel: kfuncs and `__ksym` variables, by name. */
  readonly kernelSymbols: readonly KernelSymbol[];
  /** For `inspect`: each relocation that was applied. */
  readonly relocations: readonly RelocationRecord[];
}

export interface ProgramSpec {
  /** The function's name, as libbpf names programs. */
  readonly name: string;
  readonly section: string;
  /** libbpf's name of the type (`xdp`, `sched_cls` …), by the section's name; null when the section names none. */
  readonly type: string | null;
  /** libbpf's name of the expected attach type (`xdp`, `cgroup_inet_ingress` …), where the section names one. */
  readonly attachType: string | null;
  /** Section `xdp.frags` and its like: BPF_F_XDP_HAS_FRAGS. */
  readonly frags: boolean;
  readonly sleepable: boolean;
  /** libbpf does not load a section whose name starts with `?` unless asked. */
  readonly autoload: boolean;
  /** The program's own function first, then every function it reaches, linked. Length is a multiple of 8. */
  readonly instructions: Uint8Array;
  /** The functions in `instructions`, by rising `start`; the first is the program itself. */
  readonly functions: readonly FunctionSpec[];
  /** Source lines by rising pc, from .BTF.ext. */
  readonly lines: readonly LineInfo[];
}

export interface FunctionSpec {
  readonly name: string;
  /** pc of its first instruction, in 8-byte slots. */
  readonly start: number;
  /** Slots. */
  readonly length: number;
  /** BTF linkage: a global function is verified by its own arguments; without BTF the ELF binding decides. */
  readonly linkage: 'static' | 'global' | 'extern';
  /** Section it came from. */
  readonly section: string;
  /** BTF id of its FUNC, null without .BTF.ext. */
  readonly btfId: number | null;
}

export interface LineInfo {
  readonly pc: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The source text of the line, as clang put it into the BTF strings. */
  readonly text: string;
}

export interface MapSpec {
  readonly name: string;
  /** BPF_MAP_TYPE_* of linux/bpf.h. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  /** BPF_F_* of map creation. */
  readonly flags: number;
  readonly mapExtra: bigint;
  /** LIBBPF_PIN_*: 0 none, 1 by name. */
  readonly pinning: number;
  readonly numaNode: number;
  readonly keyBtfId: number | null;
  readonly valueBtfId: number | null;
  /** The template of a map-in-map. */
  readonly inner: MapSpec | null;
  /** Where it was defined: `.maps`, `maps`, or a data section (`.data`, `.rodata.str1.1`, `.bss`, `.kconfig`). */
  readonly section: string;
  /** Contents of a data section's single element; null for other maps. */
  readonly data: Uint8Array | null;
  /** Where the variables of a data section lie, by their ids in BTF, which itself does not say. */
  readonly variables?: readonly { readonly type: number; readonly offset: number }[];
  /** Static `values` initialisers: map-in-map and PROG_ARRAY slots. */
  readonly values: readonly MapValue[];
}

/** What a definition of nothing but name, type and sizes leaves as it is. */
export const PLAIN_MAP = {
  flags: 0,
  mapExtra: 0n,
  pinning: 0,
  numaNode: 0,
  keyBtfId: null,
  valueBtfId: null,
  inner: null,
  section: '.maps',
  data: null,
  values: [],
} as const satisfies Partial<MapSpec>;

export interface MapValue {
  readonly index: number;
  /** Name of the map, or of the program. */
  readonly target: { readonly type: 'map'; readonly map: number } | { readonly type: 'program'; readonly name: string };
}

export interface KernelSymbol {
  readonly name: string;
  readonly kind: 'kfunc' | 'variable';
  readonly weak: boolean;
  /** BTF id in the object of its FUNC or VAR. */
  readonly btfId: number | null;
}

export interface RelocationRecord {
  readonly section: string;
  /** Byte offset in the section. */
  readonly offset: number;
  /** `R_BPF_64_64` …, or `CO-RE field_byte_offset` … */
  readonly type: string;
  readonly symbol: string;
  /** What it became, in words: `map 2`, `.data+16`, `call 34`. */
  readonly resolved: string;
}
