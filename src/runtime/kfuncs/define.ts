import type { Kfunc, KfuncArgument, KfuncEffect, KfuncReturn } from '../../abi/kfunc.ts';

/** A kernel function in one line: name without `bpf_`, program types, arguments, result, effects; lists are words. */
export function kfunc(
  name: string,
  programTypes: string,
  args = '',
  returns: KfuncReturn = 'void',
  effects = '',
): Kfunc {
  return {
    name,
    programTypes: programTypes === 'all' ? 'all' : words(programTypes),
    args: words(args) as KfuncArgument[],
    returns,
    effects: words(effects) as KfuncEffect[],
  };
}

function words(text: string): readonly string[] {
  return text === '' ? [] : text.split(' ');
}
