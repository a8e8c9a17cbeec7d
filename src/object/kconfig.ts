import { alignUp, encodeUtf8 } from '../base/bytes.ts';
import { LoadError } from '../base/errors.ts';
import type { Btf, BtfType } from './btf/btf.ts';
import { resolveType, sizeOf } from './btf/types.ts';

/**
 * Section `.kconfig`: extern variables that the loader fills in from the kernel's configuration. libbpf (1.0 and
 * later, "libbpf-provided extern variables") takes `y`, `n` and `m`, numbers and strings, as the variable's type asks.
 */
export type KconfigValue = string | number | bigint;

/** A kernel to fall back on: Linux 6.18 on x86-64, as Debian configures it. */
const kconfigDefaults: Readonly<Record<string, KconfigValue>> = {
  LINUX_KERNEL_VERSION: (6 << 16) + (18 << 8),
  LINUX_HAS_BPF_COOKIE: 1,
  LINUX_HAS_SYSCALL_WRAPPER: 1,
  CONFIG_HZ: 250,
};

export interface KconfigVariable {
  readonly name: string;
  /** BTF id of its VAR. */
  readonly id: number;
  /** BTF id of its type. */
  readonly type: number;
  readonly weak: boolean;
}

export interface KconfigLayout {
  readonly data: Uint8Array;
  readonly offsets: ReadonlyMap<string, number>;
}

const TRISTATE: Readonly<Record<string, bigint>> = { n: 0n, y: 1n, m: 2n };

function kconfigError(code: string, message: string, help: string): LoadError {
  return new LoadError(message, { stage: 'maps', code, section: '.kconfig', help });
}

/**
 * Lays the variables out and fills them in; one that is not known is 0 when weak, else a `LoadError`. Largest
 * alignment first, then smallest size, then by name: where libbpf puts them, so that the map's bytes are the kernel's.
 */
export function layoutKconfig(
  btf: Btf,
  variables: readonly KconfigVariable[],
  given: Readonly<Record<string, KconfigValue>>,
): KconfigLayout {
  const sized = variables.map((variable) => {
    const size = sizeOf(btf, variable.type);
    if (size === null || size > 4096) {
      throw kconfigError(
        'bad-kconfig',
        `variable ${variable.name} has no size it could take`,
        'Declare it as a number',
      );
    }
    return { ...variable, size, alignment: alignmentOf(btf, variable.type) };
  });
  sized.sort((a, b) => b.alignment - a.alignment || a.size - b.size || (a.name < b.name ? -1 : 1));
  const offsets = new Map<string, number>();
  let end = 0;
  for (const { name, size, alignment } of sized) {
    offsets.set(name, alignUp(end, alignment));
    end = alignUp(end, alignment) + size;
  }
  const data = new Uint8Array(end);
  for (const { name, size, type, weak } of sized) {
    const value = Object.hasOwn(given, name)
      ? given[name]
      : Object.hasOwn(kconfigDefaults, name)
        ? kconfigDefaults[name]
        : undefined;
    if (value !== undefined) {
      write(data.subarray(offsets.get(name)!, offsets.get(name)! + size), resolveType(btf, type), name, value);
    } else if (!weak) {
      throw kconfigError(
        'kconfig-unknown',
        `${name} is a kernel configuration value that is not known`,
        `Give it a value with option kconfig ({ ${name}: … }), or declare it __weak to have 0`,
      );
    }
  }
  return { data, offsets };
}

function write(place: Uint8Array, type: BtfType, name: string, value: KconfigValue): void {
  if (type.kind === 'array') {
    // A string, cut off where needed, always with its NUL.
    const text = encodeUtf8(String(value).replace(/^"(.*)"$/, '$1'));
    place.set(text.subarray(0, Math.max(place.length - 1, 0)));
    return;
  }
  const isLetter = typeof value === 'string' && Object.hasOwn(TRISTATE, value);
  const isChar = type.kind === 'int' && type.size === 1 && !type.bool;
  let number: bigint;
  if (isLetter) number = isChar ? BigInt(value.charCodeAt(0)) : TRISTATE[value]!;
  else {
    try {
      number = BigInt(value);
    } catch {
      throw kconfigError('bad-kconfig', `${name} is given '${value}', which is no number`, 'Give a number, y, n or m');
    }
  }
  const bits = place.length * 8;
  if (BigInt.asUintN(bits, number) !== number && BigInt.asIntN(bits, number) !== number) {
    throw kconfigError('bad-kconfig', `${name} is given ${number}, too large for ${bits} bits`, 'Give a smaller value');
  }
  for (let index = 0; index < place.length; index++) place[index] = Number((number >> BigInt(8 * index)) & 0xffn);
}

/** Natural alignment in bytes; `parseBtf` bounds how deep types hold one another. */
function alignmentOf(btf: Btf, id: number): number {
  const type = resolveType(btf, id);
  switch (type.kind) {
    case 'array':
      return alignmentOf(btf, type.type);
    case 'ptr':
      return 8;
    case 'int':
    case 'enum':
    case 'enum64':
      return [1, 2, 4, 8].includes(type.size) ? type.size : 8;
    default:
      throw kconfigError('bad-kconfig', `a variable is a ${type.kind}`, 'Declare it as a number, an enum or a string');
  }
}
