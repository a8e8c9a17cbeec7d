import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { createServer, type ServerOptions } from './server.ts';

let app: FastifyInstance | undefined;
let data: string;
afterEach(async () => {
  await app?.close();
  rmSync(data, { recursive: true, force: true });
});

async function open(options: Partial<ServerOptions> = {}): Promise<FastifyInstance> {
  data = mkdtempSync(join(tmpdir(), 'bpfreplay-access-'));
  app = await createServer({ data, drain: 0, ...options });
  return app;
}

describe('without a token', () => {
  it.each([
    ['its own page', '127.0.0.1:8787', 'http://127.0.0.1:8787', 200],
    ['its own page by name', 'localhost:8787', 'http://localhost:8787', 200],
    ['its own page over IPv6', '[::1]:8787', 'http://[::1]:8787', 200],
    ['a program, which sends no origin', '127.0.0.1:8787', undefined, 200],
    ['a page of another site', '127.0.0.1:8787', 'https://evil.example', 'foreign-origin'],
    ['a page of another port of this machine', '127.0.0.1:8787', 'http://127.0.0.1:3000', 'foreign-origin'],
    ['a page without an origin, such as a sandboxed one', 'localhost', 'null', 'foreign-origin'],
    ['a name that was made to mean 127.0.0.1', 'evil.example:8787', undefined, 'unknown-host'],
    ['such a name with its own origin', 'evil.example', 'http://evil.example', 'unknown-host'],
    ['a name that only begins like an address', '127.0.0.1.evil.example', undefined, 'unknown-host'],
    ['an address of another machine', '192.0.2.1:8787', undefined, 'unknown-host'],
  ])('%s is answered or refused', async (_, host, origin, expected) => {
    const headers = { host, ...(origin === undefined ? {} : { origin }) };
    const server = await open();
    for (const url of ['/v1/programs', '/metrics', '/livez']) {
      const answer = await server.inject({ url, headers });
      if (expected === 200) expect(answer.statusCode).toBe(200);
      else expect(answer.json()).toMatchObject({ code: expected });
    }
  });

  it('nothing is read of what a foreign page sends', async () => {
    const body = Buffer.from('r0 = 2\nexit\n');
    const headers = { origin: 'http://evil.example', 'content-type': 'text/x-bpf-assembly' };
    const server = await open();
    const answer = await server.inject({ method: 'POST', url: '/v1/programs?type=xdp', headers, payload: body });
    expect(answer.statusCode).toBe(403);
    expect((await server.inject('/v1/programs')).json().items).toEqual([]);
  });

  it('the name that it was told to listen by is its own', async () => {
    const server = await open({ host: 'replay.test' });
    const headers = { host: 'Replay.test:8787', origin: 'http://replay.test:8787' };
    expect((await server.inject({ url: '/v1/programs', headers })).statusCode).toBe(200);
  });
});

it('with a token the daemon is called by any name, as behind a proxy', async () => {
  const full = 'full-0123456789abcdef';
  const headers = { host: 'replay.example', origin: 'https://replay.example', authorization: `Bearer ${full}` };
  const server = await open({ tokens: { full } });
  expect((await server.inject({ url: '/v1/programs', headers })).statusCode).toBe(200);
});
