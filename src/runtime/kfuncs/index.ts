import type { Kfunc } from '../../abi/kfunc.ts';
import { dynptrKfuncs } from './dynptr.ts';
import { graphKfuncs } from './graph.ts';
import { iteratorKfuncs } from './iterators.ts';
import { kernelKfuncs } from './kernel.ts';
import { networkingKfuncs } from './networking.ts';

const all: readonly Kfunc[] = [
  ...dynptrKfuncs,
  ...graphKfuncs,
  ...kernelKfuncs,
  ...networkingKfuncs,
  ...iteratorKfuncs,
];

/** Every kernel function that is known here, by its whole name. */
export const kfuncs: ReadonlyMap<string, Kfunc> = new Map(all.map((kfunc) => [`bpf_${kfunc.name}`, kfunc]));
