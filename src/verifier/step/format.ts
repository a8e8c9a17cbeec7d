import type { MapSpec } from '../../object/spec.ts';
import { constantOf } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';

/** Conversions of bpf_snprintf (bpf-helpers(7)), each of which takes one argument of 8 bytes. */
const CONVERSION = /%(?:%|[-+ 0]*\d*(?:s|c|p(?:[KsSxB]|[iI][46]|(?![A-Za-z0-9]))|l{0,2}[diuxX]))/y;
/** Linux counts every byte above ASCII as printable. */
const PRINTABLE = /^[\t\n\v\f\r\x20-\x7e\x80-\xff]*$/;
const ARGUMENT = 8;

/** bpf_snprintf(str, size, fmt, data, data_len): the format is read now, and wants as many arguments as there are. */
export function checkFormat(v: Verification): boolean {
  const format = v.register(3);
  const length = v.register(5);
  const map = format.target as MapSpec;
  const start = format.offset + constantOf(format.value);
  const text = textAt(map.data!, start);
  const wanted = argumentsOf(text);
  if (wanted === null) {
    return v.refuse(
      'helper-argument',
      `"${text}" is no format that bpf_snprintf takes`,
      'See bpf-helpers(7) for the conversions',
    );
  }
  if (!length.value.isConst)
    return v.refuse('helper-argument', 'how many bytes of arguments there are, r5, is not constant');
  const given = constantOf(length.value) / ARGUMENT;
  if (given >= wanted) return true;
  return v.refuse(
    'helper-argument',
    `the format "${text}" takes ${wanted} arguments of 8 bytes, and ${given} are given`,
  );
}

function textAt(data: Uint8Array, start: number): string {
  return String.fromCharCode(...data.subarray(start, data.indexOf(0, start)));
}

/** How many arguments a format takes; null where it is none. */
function argumentsOf(text: string): number | null {
  if (!PRINTABLE.test(text)) return null;
  let count = 0;
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at)) {
    CONVERSION.lastIndex = at;
    const found = CONVERSION.exec(text)?.[0];
    if (found === undefined) return null;
    if (found !== '%%') count++;
    at += found.length;
  }
  return count;
}
