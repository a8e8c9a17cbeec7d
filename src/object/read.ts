import { decodeUtf8 } from '../base/bytes.ts';
import { parseClassicText, translateClassic } from '../isa/classic.ts';
import { type LoadOptions, loadObject } from './object.ts';
import type { ObjectSpec } from './spec.ts';

/** A decimal count alone on its line: what `tcpdump -ddd` begins with. A row of a C array: `tcpdump -dd`. */
const CLASSIC = /^\s*(\d+\s*[\n,]|\{)/;

/**
 * Reads what people have: an ELF object, or classic BPF as `tcpdump -ddd` prints it, which becomes an object with one
 * socket filter named `filter`. Throws `LoadError`.
 */
export function readObject(bytes: Uint8Array, options: LoadOptions = {}): ObjectSpec {
  const head = decodeUtf8(bytes.subarray(0, 64));
  return CLASSIC.test(head) ? classicObject(decodeUtf8(bytes)) : loadObject(bytes, options);
}

function classicObject(text: string): ObjectSpec {
  const instructions = translateClassic(parseClassicText(text));
  const section = 'socket';
  const length = instructions.length / 8;
  return {
    license: '',
    programs: [
      {
        name: 'filter',
        section,
        type: 'socket_filter',
        attachType: null,
        frags: false,
        sleepable: false,
        autoload: true,
        instructions,
        functions: [{ name: 'filter', start: 0, length, linkage: 'global', section, btfId: null }],
        lines: [],
      },
    ],
    maps: [],
    btf: null,
    kernelSymbols: [],
    relocations: [],
  };
}
