import type { Catalogue } from '../abi/catalogue.ts';
import { helperName } from '../abi/helper-names.ts';
import { type KernelSymbol, type MapSpec, PLAIN_MAP } from '../object/spec.ts';
import { type Program, programFromAssembly } from '../program/program.ts';
import { verify } from './verify.ts';

/**
 * For tests: programs in assembly and what Linux 6.18 says of them, `accept` or the code and pc of the refusal. A room's
 * test holds the verifier to them, and where a kernel can be asked, a test holds them to the kernel.
 */
export type Case = readonly [name: string, type: string, text: string, verdict: string];

const map = (name: string, type: number, keySize: number, valueSize: number, maxEntries: number): MapSpec => ({
  ...PLAIN_MAP,
  name,
  type,
  keySize,
  valueSize,
  maxEntries,
});

/** The maps that the programs name: an array of four, a hash, a ring buffer, an array of one, a program array. */
export const CASE_MAPS: readonly MapSpec[] = [
  map('values', 2, 4, 48, 4),
  map('entries', 1, 8, 48, 16),
  map('events', 27, 0, 0, 4096),
  map('single', 2, 4, 48, 1),
  map('programs', 3, 4, 4, 4),
  map('devices', 14, 4, 4, 4),
];

/**
 * `cgroup_skb@cgroup_inet_egress` is a type with its attach type; `xdp+btf` means that BTF knows the functions. Lines
 * are separated by semicolons.
 */
export function caseProgram(type: string, text: string): Program {
  const [name, attachType] = type.replace('+btf', '').split('@');
  const program = programFromAssembly(text.replaceAll('; ', '\n'), {
    type: name!,
    maps: CASE_MAPS,
    helper: (id) => `bpf_${helperName(id)}`,
    kernelSymbols: kernelFunctions(text),
    ...(attachType === undefined ? {} : { attachType }),
  });
  if (!type.endsWith('+btf')) return program;
  return { ...program, functions: program.functions.map((each) => ({ ...each, btfId: 1 })) };
}

/** The kernel functions that a text calls, as `call kfunc[bpf_dynptr_size]`. */
export function kernelFunctions(text: string): KernelSymbol[] {
  const names = new Set([...text.matchAll(/kfunc\[(\w+)\]/g)].map(([, name]) => name!));
  return [...names].map((name) => ({ name, kind: 'kfunc', weak: false, btfId: null }));
}

/** The verdict as a case has it. */
export function judge(catalogue: Catalogue, type: string, text: string): string {
  const verdict = verify(caseProgram(type, text), catalogue);
  return verdict.accepted ? 'accept' : `${verdict.refusal.code} at ${verdict.refusal.pc}`;
}
