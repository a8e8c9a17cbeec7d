import type { MapSpec } from '../../object/spec.ts';
import { BPF_F_RDONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY, BPF_F_WRONLY_PROG, flagNames } from './flags.ts';

/** The largest piece that Linux's allocator gives, and the largest per-CPU piece (x86-64, 4 KiB pages). */
export const KMALLOC_MAX = 1 << 22;
export const PERCPU_MAX = 1 << 15;

/** BPF_F_ACCESS_MASK. */
export const ACCESS_FLAGS = BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

/** The first refusal of a list of rules, or undefined. */
export function firstRefusal(...rules: readonly (string | false | undefined)[]): string | undefined {
  for (const rule of rules) if (rule) return rule;
  return undefined;
}

/** Rules of every map with flags: no others than `allowed`, and not both of a read-only/write-only pair. */
export function checkFlags(spec: MapSpec, allowed: number): string | undefined {
  const strange = (spec.flags & ~allowed) >>> 0;
  return firstRefusal(
    strange !== 0 && `the map type does not take ${flagNames(strange)}`,
    hasBoth(spec.flags, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG),
    hasBoth(spec.flags, BPF_F_RDONLY | BPF_F_WRONLY),
  );
}

function hasBoth(flags: number, pair: number): string | false {
  return (flags & pair) === pair && `${flagNames(pair)} exclude one another`;
}

export function checkKeySize(spec: MapSpec, size: number): string | false {
  return spec.keySize !== size && `key_size is ${spec.keySize} and must be ${size}`;
}

export function checkValueSize(spec: MapSpec, size: number): string | false {
  return spec.valueSize !== size && `value_size is ${spec.valueSize} and must be ${size}`;
}

export function checkEntries(spec: MapSpec): string | false {
  return spec.maxEntries === 0 && 'max_entries is 0 and must be at least 1';
}
