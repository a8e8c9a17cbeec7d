import type { ProgramType } from '../abi/program-type.ts';

/** Names of return codes; a code without a name is its number, so that none is lost. */
export function verdictNames(names: Readonly<Record<number, string>>): Pick<ProgramType, 'verdict' | 'verdicts'> {
  const known = new Map(Object.entries(names).map(([code, name]) => [Number(code), name]));
  return { verdict: (code) => known.get(code) ?? String(code), verdicts: [...known.values()] };
}
