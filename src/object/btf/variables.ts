import { OptionError } from '../../base/errors.ts';
import type { MapSpec } from '../spec.ts';
import type { Btf } from './btf.ts';
import { encodeValue } from './encode.ts';
import { sizeOf } from './types.ts';
import { formatValue, type JsonValue } from './value.ts';

/** A global variable in the map of its section. */
interface GlobalVariable {
  readonly name: string;
  /** BTF id of its VAR. */
  readonly type: number;
  readonly offset: number;
  readonly size: number | null;
}

/** The variables of a data section's map, by where they lie; none for other maps, and without BTF. */
export function variablesOf(btf: Btf | null, { variables = [] }: Pick<MapSpec, 'variables'>): GlobalVariable[] {
  if (btf === null) return [];
  return variables
    .map(({ type, offset }) => ({ name: btf.typeById(type).name, type, offset, size: sizeOf(btf, type) }))
    .sort((a, b) => a.offset - b.offset);
}

/** The value of a data section's map as JSON: an object of its variables, each as `formatValue` shows it. */
export function formatVariables(btf: Btf, variables: readonly GlobalVariable[], bytes: Uint8Array): JsonValue {
  return Object.fromEntries(
    variables.map(({ name, type, offset }) => [name, formatValue(btf, type, bytes.subarray(offset))]),
  );
}

/**
 * The bytes of the section with these variables changed, each written as `encodeValue` takes it. Those that are left out
 * stay as they are. Throws `OptionError` (`bad-map-value`).
 */
export function encodeVariables(
  btf: Btf,
  variables: readonly GlobalVariable[],
  before: Uint8Array,
  value: JsonValue,
): Uint8Array {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OptionError('bad-map-value', 'it is to be an object of variables by their names');
  }
  const bytes = before.slice();
  for (const [name, wanted] of Object.entries(value)) {
    const variable = variables.find((each) => each.name === name);
    if (variable === undefined) {
      const names = variables.map((each) => each.name).join(', ');
      throw new OptionError('bad-map-value', `there is no variable ${name}; there are: ${names}`);
    }
    const encoded = encode(btf, variable, wanted);
    if (variable.offset + encoded.length > bytes.length) {
      throw new OptionError('bad-map-value', `variable ${name} lies beyond its section`);
    }
    bytes.set(encoded, variable.offset);
  }
  return bytes;
}

function encode(btf: Btf, { name, type }: GlobalVariable, value: JsonValue): Uint8Array {
  try {
    return encodeValue(btf, type, value);
  } catch (error) {
    if (error instanceof OptionError) throw new OptionError(error.code, `variable ${name}: ${error.message}`);
    throw error;
  }
}
