/** Requests for the operations of an OpenAPI document: some as they should be, some not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Random } from '../../src/base/random.ts';
import { chance, pick, type Schema, spoiled, spoiledText, type Values, validValue } from './api-values.ts';

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

export interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: 'path' | 'query' | 'header';
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

export interface Request {
  readonly method: string;
  /** With the query, as it is sent. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** Ids that the daemon gave, by collection. */
export type Pool = Map<string, string[]>;

const ROOT = new URL('../../', import.meta.url).pathname;
const file = (path: string) => readFileSync(join(ROOT, path));
const SAMPLES = [
  file('programs/blocklist.bpf.o'),
  file('programs/flowstats.bpf.o'),
  file('pcaps/dns.pcap'),
  file('pcaps/two-interfaces.pcapng'),
  gzipSync(file('pcaps/arp.pcap')),
  Buffer.from('r0 = 2\nexit\n'),
  Buffer.from('r0 = *(u32 *)(r1 + 4)\nr0 = *(u8 *)(r0 + 0)\nexit\n'),
  Buffer.from('2\n6 0 0 262144\n6 0 0 0\n'),
];
const HEADERS = [
  'range',
  'if-range',
  'if-none-match',
  'accept',
  'accept-encoding',
  'last-event-id',
  'content-encoding',
  'x-request-id',
];
const HEADER_VALUES = [
  'bytes=0-3',
  'bytes=-1',
  'bytes=9999999999-',
  'bytes=5-1',
  '*/*',
  'text/html',
  'gzip',
  'zstd, gzip',
  '7',
  '-',
  '"x"',
];
const BOUNDARY = 'fuzz-boundary';

/** Entries that maps of the first sample take: a schema does not tell what goes together. */
const ENTRIES = [
  { map: 'blocked_ports', key: '50000000', value: '01000000' },
  { map: 'blocked_ports', key: '35000000', value: '02000000' },
  { map: 'blocked_v4', key: '200000000a000001', value: '03000000' },
] as const;

/** The one source of a stream that needs nothing beside the daemon. */
const SOURCE = { kind: 'http' } as const;

/** Names that are not given by the daemon. */
export function namesFirst(): Pool {
  return new Map([['templates', ['nightly']]]);
}

/** What the others need, one after the other: a program and a capture, then what runs, with entries in its maps. */
export function* essentials(pool: Pool): Iterable<Request> {
  const post = (path: string, body: Buffer, type = 'octet-stream', method = 'POST'): Request => ({
    method,
    path,
    headers: { 'content-type': `application/${type}` },
    body,
  });
  yield post('/v1/programs', SAMPLES[0]!);
  yield post('/v1/captures', SAMPLES[2]!);
  const [program, capture] = ['programs', 'captures'].map((collection) => pool.get(collection)?.at(-1));
  const mapInit: Record<string, object[]> = {};
  for (const { map, ...entry } of ENTRIES) (mapInit[map] ??= []).push(entry);
  const given = { program, mapInit };
  const replay = { ...given, capture, maps: true, packets: true, output: true };
  yield post('/v1/replays', Buffer.from(JSON.stringify(replay)), 'json');
  yield post('/v1/templates/nightly', Buffer.from(JSON.stringify({ program })), 'json', 'PUT');
  yield post('/v1/streams', Buffer.from(JSON.stringify({ ...given, source: SOURCE })), 'json');
}

/** A request for the operation; every other one with something wrong. */
export function makeRequest(document: Document, path: string, method: string, pool: Pool, random: Random): Request {
  const operation = document.paths[path]![method]!;
  const entry: Readonly<Record<string, string>> = pick(random, ENTRIES);
  const known = (name: string) => (name === 'source' ? SOURCE : (entry[name] ?? knownId(pool, `${name}s`, random)));
  const values: Values = {
    random,
    resolve: (ref) => document.components.schemas[ref.split('/').at(-1)!]!,
    known,
  };
  const isGood = chance(random, 50);
  const wrong = (percent: number) => !isGood && chance(random, percent);
  const parameter = (schema: Schema, name: string) =>
    wrong(40) ? spoiledText(random) : String(validValue(schema, values, name));
  const query = new URLSearchParams();
  let filled = path;
  const headers: Record<string, string> = {};
  for (const { name, in: place, schema, required = false } of operation.parameters ?? []) {
    if (place === 'path') {
      const collection = new RegExp(`([a-z]+)/\\{${name}\\}`).exec(path)?.[1] ?? '';
      const id = wrong(30) ? undefined : (entry[name] ?? knownId(pool, collection, random));
      filled = filled.replace(`{${name}}`, encodeURIComponent(id ?? parameter(schema, name)));
    } else if (required ? !wrong(30) : chance(random, 40)) {
      if (place === 'query') query.set(name, parameter(schema, name));
      else headers[name] = parameter(schema, name).replaceAll(/[^\x20-\x7e]/g, '?');
    }
  }
  if (wrong(15)) query.set(pick(random, ['limit', 'cursor', 'x', '']), spoiledText(random));
  if (wrong(40) || chance(random, 10)) headers[pick(random, HEADERS)] = pick(random, HEADER_VALUES);
  const body = makeBody(operation, values, random, headers, wrong);
  const search = query.size === 0 ? '' : `?${query}`;
  return { method: method.toUpperCase(), path: filled + search, headers, body };
}

function knownId(pool: Pool, collection: string, random: Random): string | undefined {
  const ids = pool.get(collection) ?? [];
  // The late ones: the early ones may be gone.
  return ids.length === 0 ? undefined : ids[Math.max(0, ids.length - 1 - random.below(6))];
}

function makeBody(
  { requestBody }: Operation,
  values: Values,
  random: Random,
  headers: Record<string, string>,
  wrong: (percent: number) => boolean,
): Buffer | undefined {
  if (requestBody === undefined) return wrong(10) ? Buffer.from('nobody asked') : undefined;
  if (wrong(10)) return undefined;
  const [type, { schema }] = pick(random, Object.entries(requestBody.content));
  if (!wrong(10)) headers['content-type'] = type === 'multipart/form-data' ? `${type}; boundary=${BOUNDARY}` : type;
  else if (chance(random, 70))
    headers['content-type'] = pick(random, ['text/plain', 'application/xml', 'x', 'application/json; charset=x']);
  if (type === 'multipart/form-data') return makeForm(schema, random, wrong);
  if (!type.endsWith('json')) return bytes(random, wrong);
  const value = validValue(schema, values);
  const text = JSON.stringify(wrong(60) ? spoiled(value, random) : value) ?? '';
  return Buffer.from(wrong(20) ? text.slice(0, random.below(text.length + 1)) : text);
}

function bytes(random: Random, wrong: (percent: number) => boolean): Buffer {
  const whole = pick(random, SAMPLES);
  if (!wrong(60)) return whole;
  const copy = Buffer.from(whole.subarray(0, random.below(whole.length + 1)));
  for (let i = 0; i < 8 && copy.length > 0; i++) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

function makeForm({ properties = {} }: Schema, random: Random, wrong: (percent: number) => boolean): Buffer {
  const parts = Object.entries(properties).flatMap(([name, schema]) => {
    if (wrong(20)) return [];
    const shown = wrong(20) ? 'other' : name;
    const isFile = schema.format === 'binary' || schema.type === undefined;
    const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${shown}"${isFile ? '; filename="f"' : ''}\r\n\r\n`;
    return [Buffer.from(head), isFile ? bytes(random, wrong) : Buffer.from('name'), Buffer.from('\r\n')];
  });
  const form = Buffer.concat([...parts, Buffer.from(`--${BOUNDARY}--\r\n`)]);
  return wrong(20) ? form.subarray(0, random.below(form.length)) : form;
}
