import { helperName } from '../abi/helper-names.ts';
import type { Names } from '../isa/syntax.ts';
import type { KernelSymbol, MapSpec } from '../object/spec.ts';

/** Names for what a program's instructions call by number, as its source has them: `bpf_redirect`, `counters`. */
export function namesOf(object: {
  readonly maps: readonly MapSpec[];
  readonly kernelSymbols: readonly KernelSymbol[];
}): Names {
  return {
    helper(id) {
      const name = helperName(id);
      return name === undefined ? undefined : `bpf_${name}`;
    },
    map: (index) => object.maps[index]?.name,
    kfunc: (index) => object.kernelSymbols[index]?.name,
  };
}
