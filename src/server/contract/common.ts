import { type Static, type TProperties, type TSchema, Type } from 'typebox';
import { PROBLEM_TYPE, PROBLEMS, type ProblemCode } from '../problems.ts';

/** An object that takes no other members than these. */
export function strict<P extends TProperties>(properties: P, options: { $id?: string; description?: string } = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

export function nullable<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

export const Digest = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the bytes, in hex' });
export const DigestParams = strict({ id: Digest });
export const Uuid = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
export const UuidParams = strict({ id: Uuid });
export const Name = Type.String({ minLength: 1, maxLength: 255, description: 'For people; two may have the same' });
export const Time = Type.String({ description: 'RFC 3339, UTC' });
export const Nanoseconds = Type.String({ description: 'Nanoseconds since the epoch, decimal' });
export const Counts = Type.Record(Type.String(), Type.Integer());

export const PageQuery = strict({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  cursor: Type.Optional(Type.String({ pattern: '^[0-9a-z]{1,16}$', description: '`next` of the page before' })),
});

export function pageOf<S extends TSchema>(item: S) {
  return strict({
    items: Type.Array(item),
    next: nullable(Type.String({ description: 'Cursor of the next page; null on the last' })),
  });
}

/** A schema of `components` by its name. Those of `$id` are given to fastify once, see `contract/components.ts`. */
export function refTo<S extends TSchema>(schema: S, description = '') {
  return Type.Unsafe<Static<S>>({ $ref: `${(schema as { $id?: string }).$id}#`, description });
}

export const Problem = Type.Object(
  {
    type: Type.String({ description: '`urn:bpfreplay:problem:` and the code' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ enum: Object.keys(PROBLEMS), description: 'Stable' }),
    detail: Type.String({ description: 'What happened this time' }),
    instance: Type.String({ description: '`urn:uuid:` and the id of the request, which the log has too' }),
  },
  { $id: 'Problem', description: 'RFC 9457; some have further members' },
);

/** Every route can answer with these. */
const ALWAYS: readonly ProblemCode[] = [
  'validation',
  'unauthorized',
  'insufficient-scope',
  'foreign-origin',
  'unknown-host',
  'rate-limited',
  'internal',
  'data-damaged',
  'no-space',
  'overloaded',
];

interface ProblemResponse {
  description: string;
  readonly content: { readonly [PROBLEM_TYPE]: { readonly schema: TSchema } };
}

/** The responses of a route for the problems that it can answer with. */
export function problems(...codes: ProblemCode[]): Record<number, ProblemResponse> {
  const byStatus: Record<number, ProblemResponse> = {};
  for (const code of [...ALWAYS, ...codes]) {
    const { status, title } = PROBLEMS[code];
    const line = `\`${code}\`: ${title}`;
    const known = byStatus[status];
    if (known !== undefined) known.description += `. ${line}`;
    else byStatus[status] = { description: line, content: { [PROBLEM_TYPE]: { schema: refTo(Problem) } } };
  }
  return byStatus;
}

/** An answer that is streamed as it is, in one of the media types. `line` is what each of its lines holds. */
export function streamed(
  mediaTypes: string | readonly string[],
  description: string,
  line: TSchema = Type.Unsafe<unknown>({}),
) {
  const content = { schema: Type.Unsafe<unknown>(line) };
  return { description, content: Object.fromEntries([mediaTypes].flat().map((type) => [type, content])) };
}

/** A body that is streamed: raw in any of the types, or as a file of a multipart form. */
export function upload(mediaTypes: readonly string[], field: string) {
  const raw = { schema: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }) };
  const form = strict({ [field]: raw.schema, name: Type.Optional(Name) });
  return {
    content: {
      ...Object.fromEntries(mediaTypes.map((type) => [type, raw])),
      'multipart/form-data': { schema: form },
    },
  };
}

export const NothingSchema = Type.Null({ description: 'Done' });
