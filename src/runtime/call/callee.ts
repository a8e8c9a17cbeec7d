import type { Catalogue } from '../../abi/catalogue.ts';
import type { ArgumentKind, Helper } from '../../abi/helper.ts';
import type { KfuncArgument } from '../../abi/kfunc.ts';
import type { Program } from '../../program/program.ts';

/** What a helper and a kernel function have in common for whoever calls one. */
export interface Callee {
  /** Without `bpf_`. */
  readonly name: string;
  readonly args: readonly (ArgumentKind | KfuncArgument)[];
  readonly run: Helper['run'];
  /** Whether it leaves 32 bits in r0, the upper ones being 0, and not 64. */
  readonly isNarrow: boolean;
  /** It may move the packet's edges. */
  readonly changesPacket: boolean;
}

export function helperCallee({ helpers }: Pick<Catalogue, 'helpers'>, id: number): Callee | undefined {
  const helper = helpers.get(id);
  if (helper === undefined) return undefined;
  const { name, run, prototype } = helper;
  return { name, run, args: prototype.args, isNarrow: false, changesPacket: prototype.changesPacket === true };
}

/** The kernel function that a program names by an index among its symbols. */
export function kfuncCallee(
  { kfuncs }: Pick<Catalogue, 'kfuncs'>,
  program: Program,
  index: number,
): Callee | undefined {
  const kfunc = kfuncs.get(program.kernelSymbols[index]?.name ?? '');
  if (kfunc === undefined) return undefined;
  const { name, args, run, effects } = kfunc;
  return { name, args, run, isNarrow: true, changesPacket: effects.includes('changes-packet') };
}
