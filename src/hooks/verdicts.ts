/** Names of return codes; a code without a name is its number, so that none is lost. */
export function verdictNames(names: Readonly<Record<number, string>>): (code: number) => string {
  const known = new Map(Object.entries(names).map(([code, name]) => [Number(code), name]));
  return (code) => known.get(code) ?? String(code);
}
