import type { FastifyError } from 'fastify';

type Fault = NonNullable<FastifyError['validation']>[number];

/** In an alternative of a union, the member whose constant tells which alternative is meant. */
const TELLING = /^(.*\/anyOf)\/(\d+)\/properties\/[^/]+$/;

/**
 * What is wrong with a value, without what was said of alternatives that were not meant: a union whose alternatives
 * are told apart by a constant, such as `kind`, complains of all of them.
 */
export function faultsThatMatter(faults: readonly Fault[]): readonly Fault[] {
  const unions = new Map<string, Fault[]>();
  for (const fault of faults) {
    const union = fault.keyword === 'const' ? TELLING.exec(fault.schemaPath)?.[1] : undefined;
    if (union !== undefined) unions.set(union, [...(unions.get(union) ?? []), fault]);
  }
  return [...unions].reduce((left, [union, constants]) => withoutOthers(left, union, constants), faults);
}

function withoutOthers(faults: readonly Fault[], union: string, constants: readonly Fault[]): readonly Fault[] {
  const alternativeOf = ({ schemaPath }: Fault) =>
    schemaPath.startsWith(`${union}/`) ? schemaPath.slice(union.length + 1).split('/', 1)[0] : undefined;
  const others = new Set(constants.map(alternativeOf));
  const outside = faults.filter(
    (fault) =>
      alternativeOf(fault) === undefined && !(fault.keyword === 'anyOf' && `${fault.schemaPath}/anyOf` === union),
  );
  const meant = faults.filter((fault) => alternativeOf(fault) !== undefined && !others.has(alternativeOf(fault)));
  if (meant.length > 0) return [...outside, ...meant];
  const allowed = constants.map(({ params }) => String(params.allowedValue)).join(', ');
  return [...outside, { ...constants[0]!, message: `must be one of ${allowed}` }];
}
