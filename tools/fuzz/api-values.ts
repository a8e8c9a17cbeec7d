/** Values by JSON Schema, and values that break it. */
import type { Random } from '../../src/base/random.ts';

/** As much of JSON Schema 2020-12 as the API's document uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export interface Values {
  readonly random: Random;
  readonly resolve: (ref: string) => Schema;
  /** Something real for a member of this name, such as an id; undefined where there is none. */
  readonly known: (name: string) => unknown;
}

const pick = <T>(random: Random, all: readonly T[]): T => all[random.below(all.length)]!;
const chance = (random: Random, percent: number) => random.below(100) < percent;

const WORDS = ['a', 'xdp', 'blocklist', 'XDP_DROP', '00', '0a0b0c0d', 'lo', 'x y', 'é', '1', 'map:x', 'program:y'];
const BAD_STRINGS = [
  '',
  '\u0000',
  '../../etc/passwd',
  'x'.repeat(5000),
  '\ud83d\ude00',
  "' OR 1=1 --",
  '%00',
  '-1',
  '0x',
];
const NUMBERS = [-1, 0, 1, 1.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e308];

/** A value that the schema takes, as far as the generator can tell. */
export function validValue(schema: Schema, values: Values, name = '', depth = 0): unknown {
  const { random, resolve, known } = values;
  if (schema.$ref !== undefined) return validValue(resolve(schema.$ref), values, name, depth);
  if ('const' in schema) return schema.const;
  if (schema.enum !== undefined) return pick(random, schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return validValue(pick(random, choices), values, name, depth);
  if (schema.allOf !== undefined) {
    return Object.assign({}, ...schema.allOf.map((one) => validValue(one, values, name, depth)));
  }
  const type = typeof schema.type === 'object' ? pick(random, schema.type) : schema.type;
  switch (type) {
    case 'object':
      return validObject(schema, values, depth);
    case 'array': {
      const { minItems = 0, maxItems = 3, items = {} } = schema;
      const size = minItems + random.below(Math.max(1, Math.min(maxItems, minItems + 3) - minItems + 1));
      return Array.from({ length: depth > 5 ? minItems : size }, () => validValue(items, values, name, depth + 1));
    }
    case 'integer':
    case 'number': {
      const { minimum = 0, maximum = minimum + 1000 } = schema;
      return chance(random, 30)
        ? pick(random, [minimum, maximum])
        : minimum + random.below(Math.min(maximum - minimum, 1000) + 1);
    }
    case 'boolean':
      return chance(random, 50);
    case 'null':
      return null;
    case 'string':
      return (
        known(name) ??
        pick(random, WORDS)
          .padEnd(schema.minLength ?? 0, '0')
          .slice(0, schema.maxLength)
      );
    default:
      return known(name) ?? pick<unknown>(random, [...WORDS, ...NUMBERS, null, true, {}, []]);
  }
}

function validObject(schema: Schema, values: Values, depth: number): Record<string, unknown> {
  const { random } = values;
  const { properties = {}, required = [], additionalProperties, patternProperties } = schema;
  const made: Record<string, unknown> = {};
  // Where there is much that may be left out, something of it is wrong nearly always.
  const share = depth === 0 ? pick(random, [0, 0, 10, 30]) : 40;
  for (const [name, member] of Object.entries(properties)) {
    const known = values.known(name);
    // What is known to be good is given often.
    if (!required.includes(name) && !chance(random, known === undefined ? share : 60)) continue;
    const isWhole = typeof known === 'object' && chance(random, 60);
    made[name] = isWhole ? known : validValue(member, values, name, depth + 1);
  }
  const others =
    Object.values(patternProperties ?? {})[0] ??
    (typeof additionalProperties === 'object' ? additionalProperties : undefined);
  if (others !== undefined && chance(random, 60)) made[pick(random, WORDS)] = validValue(others, values, '', depth + 1);
  return made;
}

/** The value with something wrong in it, or in its place. */
export function spoiled(value: unknown, random: Random): unknown {
  if (value !== null && typeof value === 'object' && chance(random, 80)) {
    const copy = structuredClone(value) as Record<string, unknown>;
    const names = Object.keys(copy);
    const name = names.length === 0 || chance(random, 15) ? pick(random, [...WORDS, '__proto__']) : pick(random, names);
    if (chance(random, 20)) delete copy[name];
    else
      Object.defineProperty(copy, name, { value: spoiled(copy[name], random), enumerable: true, configurable: true });
    return copy;
  }
  return pick<unknown>(random, [...BAD_STRINGS, ...NUMBERS, null, true, {}, [], [[[[]]]], { a: { b: { c: {} } } }]);
}

/** For a place in a path, a query or a header. */
export function spoiledText(random: Random): string {
  return chance(random, 70) ? pick(random, BAD_STRINGS) : String(pick(random, [...NUMBERS, ...WORDS]));
}

export { chance, pick };
