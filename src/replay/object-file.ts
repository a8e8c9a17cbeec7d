import { readFileSync, statSync } from 'node:fs';
import { OptionError } from '../base/errors.ts';
import { readObject } from '../engine/read-object.ts';
import { parseBtf } from '../object/btf/btf.ts';
import type { ObjectSpec } from '../object/spec.ts';

/** An object as it lies in a file. */
export interface ObjectFile {
  /** Path of an ELF object, or of classic BPF as `tcpdump -ddd` prints it. */
  readonly object: string;
  /** Path of the BTF that CO-RE is resolved against; the object's own unless told. */
  readonly btf?: string | undefined;
}

/** Throws `LoadError`, `OptionError`, or the file system's error. */
export function readObjectFile({ object, btf }: ObjectFile): ObjectSpec {
  // The file system's own words do not name it.
  if (statSync(object).isDirectory()) throw new OptionError('bad-option', `${object} is a folder, not an object`);
  return readObject(readFileSync(object), btf === undefined ? {} : { targetBtf: parseBtf(readFileSync(btf)) });
}
