/** Part of a file, both ends included, as in `content-range`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * What a `range` header asks of a file of this size (RFC 9110, section 14): undefined for the whole of it, which also
 * answers a header that is malformed or asks for several parts; `unsatisfiable` when no byte of the file is in it.
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/i.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first, last] = match as unknown as [string, string, string];
  if (first === '' && last === '') return undefined;
  if (first === '') return within(Math.max(0, size - Number(last)), last === '0' ? -1 : size - 1);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  return within(Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1));
}

function within(start: number, end: number): ByteRange | 'unsatisfiable' {
  return start <= end ? { start, end } : 'unsatisfiable';
}
