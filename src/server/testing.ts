import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { generateCapture } from '../../tools/generate-capture.ts';
import { createServer, type ServerOptions } from './server.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OCTETS = { 'content-type': 'application/octet-stream' };
const ASSEMBLY = { 'content-type': 'text/x-bpf-assembly' };

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly body: any;
}

/** For tests: a daemon on a data directory of its own, without a socket. Dispose of it at the end. */
export async function openDaemon(options: Partial<ServerOptions> = {}) {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'bpfreplay-daemon-'));
  const app: FastifyInstance = await createServer({ data, drain: 0, ...options });
  const call = async (request: InjectOptions): Promise<Answer> => {
    const { statusCode, headers, body } = await app.inject(request);
    // The machine is busy with other tests.
    if (statusCode === 503 && headers['retry-after'] !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return call(request);
    }
    const isJson = /^application\/(problem\+)?json/.test(String(headers['content-type']));
    return { status: statusCode, headers, body: isJson && body !== '' ? JSON.parse(body) : body };
  };
  const get = (url: string) => call({ method: 'GET', url });
  const send = (method: 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) =>
    call({ method, url, ...(payload === undefined ? {} : { payload }) });
  const made = ({ status, body }: Answer): string => {
    if (status >= 300) throw new Error(JSON.stringify(body));
    return body.id;
  };
  const upload = async (url: string, bytes: Uint8Array, headers: Record<string, string> = OCTETS) =>
    made(await call({ method: 'POST', url, headers, payload: Buffer.from(bytes) }));
  return {
    app,
    data,
    call,
    get,
    send,
    program: (name: string) => upload('/v1/programs', readFileSync(join(ROOT, `programs/${name}.bpf.o`))),
    assembly: (text: string, type = 'xdp') => upload(`/v1/programs?type=${type}`, Buffer.from(text), ASSEMBLY),
    capture: (name: string) => upload('/v1/captures', readFileSync(join(ROOT, `pcaps/${name}`))),
    generated: (packets: number, seed = 1) => upload('/v1/captures', generated(packets, seed)),
    /** Starts a replay; its id. */
    start: async (request: object) => made(await send('POST', '/v1/replays', request)),
    async finished(id: string): Promise<Answer['body']> {
      for (;;) {
        const { body } = await get(`/v1/replays/${id}`);
        if (body.state !== 'queued' && body.state !== 'running') return body;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await app.close();
      if (options.data === undefined) rmSync(data, { recursive: true, force: true });
    },
  };
}

function generated(packets: number, seed = 1): Uint8Array {
  const pieces: Uint8Array[] = [];
  const options = { packets, size: 64, seed, flows: 50, profile: 'mixed', format: 'pcap' } as const;
  generateCapture(options, (piece) => pieces.push(piece.slice()));
  return new Uint8Array(Buffer.concat(pieces));
}
