import { decodeUtf8 } from '../base/bytes.ts';
import { PACKET_SOCKET } from '../hooks/socket-filter.ts';
import { parseClassicText, translateClassic } from '../isa/classic.ts';
import { type LoadOptions, loadObject } from '../object/object.ts';
import type { MapSpec, ObjectSpec } from '../object/spec.ts';
import { programFromAssembly } from '../program/program.ts';
import { namesOf } from './names.ts';

/** A decimal count alone on its line: what `tcpdump -ddd` begins with. A row of a C array: `tcpdump -dd`. */
const CLASSIC = /^\s*(\d+\s*[\n,]|\{\s*(0x)?\d)/;

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
  return objectOf({
    name: 'filter',
    section: 'socket',
    type: 'socket_filter',
    attachType: PACKET_SOCKET,
    instructions,
  });
}

export interface AssemblyObjectOptions {
  /** libbpf's name: `xdp`, `sched_cls` … */
  readonly type: string;
  readonly name?: string;
  /** Named in the text by index or name: `r1 = map[counters] ll`. */
  readonly maps?: readonly MapSpec[];
  /** `GPL` unless told. */
  readonly license?: string;
}

/** An object of one program from assembly text; helpers are called by name (`call bpf_redirect`). Throws `LoadError`. */
export function assembleObject(text: string, options: AssemblyObjectOptions): ObjectSpec {
  const { bytes, functions, license, name, type } = programFromAssembly(text, {
    ...options,
    helper: namesOf({ maps: [], kernelSymbols: [] }).helper,
  });
  return {
    ...objectOf({ name, section: type, type, attachType: null, instructions: bytes, functions }),
    license,
    maps: options.maps ?? [],
  };
}

function objectOf(
  program: Pick<ObjectSpec['programs'][number], 'name' | 'section' | 'type' | 'attachType' | 'instructions'> &
    Partial<Pick<ObjectSpec['programs'][number], 'functions'>>,
): ObjectSpec {
  return {
    license: '',
    programs: [{ frags: false, sleepable: false, autoload: true, functions: [], lines: [], ...program }],
    maps: [],
    btf: null,
    kernelSymbols: [],
    relocations: [],
  };
}
