/**
 * Every operation of the OpenAPI document that a daemon serves, called with what should be sent and what should not.
 * No answer is a failure of the daemon's, every error is a problem document, and every answer is one that the document
 * tells of and of the shape that it tells. A run of 50 rounds or more also fails where an operation never succeeded. The
 * seed gives the same requests again, where the daemon answers alike.
 *
 *   node tools/fuzz/api.ts --seed 1 --rounds 200
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Compile, type XSchema } from 'typebox/schema';
import { seededRandom } from '../../src/base/random.ts';
import { type Daemon, startDaemon } from '../daemon.ts';
import {
  type Document,
  essentials,
  makeRequest,
  namesFirst,
  type Operation,
  type Pool,
  type Request,
} from './api-requests.ts';

export interface ApiFuzzOptions {
  readonly seed: number;
  /** How often each operation is called. */
  readonly rounds: number;
}

export interface ApiFuzzReport {
  readonly operations: number;
  readonly requests: number;
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Operations that never succeeded: of those little was seen. In a long run each of them is a fault. */
  readonly unanswered: readonly string[];
  /** What must not be, with the request that led to it. */
  readonly faults: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** Longer than any answer but a stream of events takes. */
const LONGEST = 20_000;
const MOST_FAULTS = 20;
/** In so many rounds each operation is to have succeeded once. */
const LONG_RUN = 50;

export async function fuzzApi({ seed, rounds }: ApiFuzzOptions): Promise<ApiFuzzReport> {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-fuzz-api-'));
  const daemon = await startDaemon(data, ['--rate', '0', '--max-seconds', '5']);
  try {
    const document = (await (await fetch(`${daemon.url}/v1/openapi.json`)).json()) as Document;
    return await run(daemon, document, seed, rounds);
  } finally {
    await daemon.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

async function run(daemon: Daemon, document: Document, seed: number, rounds: number): Promise<ApiFuzzReport> {
  const random = seededRandom(seed);
  const check = createCheck(document);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const pool = namesFirst();
  const statuses: Record<string, number> = {};
  const succeeded = new Set<string>();
  const faults: string[] = [];
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method, name: `${method.toUpperCase()} ${path}` })),
  );
  let requests = 0;
  for (let round = 0; round < rounds && faults.length < MOST_FAULTS; round++) {
    for (const request of essentials(pool)) {
      const answer = await send(daemon.url, request, agent).catch((error: Error) => error);
      if (answer instanceof Error) faults.push(`${answer.message}\n  seed ${seed}, round ${round}: ${shown(request)}`);
      else learn(pool, request.path, answer);
    }
    for (const { path, method, name } of operations) {
      // What was made is not taken away as fast as it came.
      if (method === 'delete' && random.below(3) !== 0) continue;
      const request = makeRequest(document, path, method, pool, random);
      requests++;
      const answer = await send(daemon.url, request, agent).catch((error: Error) => error);
      const fault = answer instanceof Error ? answer.message : check(document.paths[path]![method]!, request, answer);
      if (fault !== undefined) faults.push(`${fault}\n  seed ${seed}, request ${requests}: ${shown(request)}`);
      if (answer instanceof Error) continue;
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      if (answer.status < 300) {
        succeeded.add(name);
        learn(pool, path, answer);
      }
    }
  }
  const { status } = await fetch(`${daemon.url}/readyz`).catch((error: Error) => ({ status: error.message }));
  if (status !== 200) faults.push(`the daemon is not ready at the end: ${status}`);
  const errors = daemon
    .log()
    .split('\n')
    .filter((line) => /"level":[56]0/.test(line));
  faults.push(...errors.slice(0, MOST_FAULTS));
  const unanswered = operations.map(({ name }) => name).filter((name) => !succeeded.has(name));
  if (rounds >= LONG_RUN) faults.push(...unanswered.map((name) => `${name} never succeeded in ${rounds} rounds`));
  return { operations: operations.length, requests, statuses, unanswered, faults };
}

function shown({ method, path, headers, body }: Request): string {
  const text = body === undefined ? '' : ` ${JSON.stringify(body.subarray(0, 300).toString('latin1'))}`;
  return `${method} ${path.slice(0, 300)} ${JSON.stringify(headers)}${text}`;
}

/** Keeps the ids of what was made, for later requests. */
function learn(pool: Pool, path: string, { type, text }: Answer): void {
  const collection = /^\/v1\/([a-z]+)$/.exec(path)?.[1];
  if (collection === undefined || !type.startsWith('application/json')) return;
  const { id } = JSON.parse(text) as { id?: string };
  if (typeof id !== 'string') return;
  const ids = pool.get(collection) ?? [];
  pool.set(collection, [...ids.filter((one) => one !== id), id]);
}

/** What is wrong with an answer; undefined where nothing is. */
function createCheck({
  components,
}: Document): (operation: Operation, request: Request, answer: Answer) => string | undefined {
  const compiled = new Map<object, ReturnType<typeof Compile>>();
  const matches = (schema: object, value: unknown): string | undefined => {
    const known = compiled.get(schema) ?? Compile({ ...schema, components } as XSchema);
    compiled.set(schema, known);
    return known.Check(value) ? undefined : JSON.stringify(known.Errors(value)).slice(0, 500);
  };
  return ({ responses, requestBody }, { body }, { status, type, text }) => {
    const told = `${status} ${type}: ${text.slice(0, 500)}`;
    if (status >= 500 && status !== 503) return `a failure of the daemon's: ${told}`;
    const mediaType = type.split(';')[0]!.trim();
    const isError = status >= 400;
    if (isError && mediaType !== 'application/problem+json') return `an error that is no problem document: ${told}`;
    const value: unknown = /json$/.test(mediaType) && mediaType !== 'application/x-ndjson' ? parse(text) : undefined;
    if (isError && (value as { status?: number } | undefined)?.status !== status)
      return `a problem of another status: ${told}`;
    const response = responses[status];
    // A path that was spoiled is no longer the operation's, and a body that none was asked for is not documented.
    if (isError && requestBody === undefined && body !== undefined) return undefined;
    if (response === undefined)
      return isError && [404, 405].includes(status) ? undefined : `a status that is not documented: ${told}`;
    if (response.content === undefined) return text === '' ? undefined : `a body where none is documented: ${told}`;
    const documented = response.content[mediaType];
    if (documented === undefined) return `a media type that is not documented: ${told}`;
    if (value === undefined) return undefined;
    const wrong = matches(documented.schema, value);
    return wrong === undefined ? undefined : `an answer that does not match its schema (${wrong}): ${told}`;
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return 'no JSON';
  }
}

/** Sends what `fetch` would mend: paths as they are, bodies where none belongs. */
function send(url: string, { method, path, headers, body }: Request, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const length: Record<string, number> = body === undefined ? {} : { 'content-length': body.length };
    const options = { hostname, port, method, path, headers: { ...headers, ...length }, agent };
    const request = httpRequest(options, (answer) => {
      const { statusCode: status = 0, headers } = answer;
      const type = headers['content-type'] ?? '';
      const pieces: Buffer[] = [];
      const end = () => resolve({ status, type, text: Buffer.concat(pieces).toString() });
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece);
        // Events have no end.
        if (type.startsWith('text/event-stream')) {
          end();
          request.destroy();
        }
      });
      answer.on('end', end);
      answer.on('error', reject);
    });
    request.setTimeout(LONGEST, () => request.destroy(new Error(`no answer within ${LONGEST / 1000} seconds`)));
    request.on('error', reject);
    request.end(body);
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seed: { type: 'string', default: '1' }, rounds: { type: 'string', default: '200' } },
  });
  const [seed, rounds] = [Number(values.seed), Number(values.rounds)];
  console.log(`api: seed ${seed}, ${rounds} rounds`);
  const { faults, ...report } = await fuzzApi({ seed, rounds });
  console.log(JSON.stringify({ ...report, faults: faults.length }));
  for (const fault of faults) console.log(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
