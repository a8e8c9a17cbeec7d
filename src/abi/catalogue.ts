import type { KernelSymbol } from '../object/spec.ts';
import type { Helper } from './helper.ts';
import type { Kfunc } from './kfunc.ts';
import type { MapType } from './map.ts';
import type { ProgramType } from './program-type.ts';

/** Everything the verifier and the runners may know of helpers, maps and program types; the engine makes it. */
export interface Catalogue {
  readonly helpers: ReadonlyMap<number, Helper>;
  /** By name: `bpf_xdp_ct_lookup`. */
  readonly kfuncs: ReadonlyMap<string, Kfunc>;
  readonly mapTypes: ReadonlyMap<number, MapType>;
  readonly programTypes: ReadonlyMap<string, ProgramType>;
}

/** Whether a program that takes the address of a symbol of the kernel gets one: of a kernel function that runs here. */
export function isPresent({ kfuncs }: Pick<Catalogue, 'kfuncs'>, symbol: KernelSymbol | undefined): boolean {
  return symbol?.kind === 'kfunc' && kfuncs.get(symbol.name)?.run !== undefined;
}
