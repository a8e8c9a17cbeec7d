import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Daemon, startDaemon } from '../../tools/daemon.ts';

const FULL = 'full-0123456789abcdef';
const READ = 'read-0123456789abcdef';

let data: string;
let daemon: Daemon | undefined;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'bpfreplay-access-'));
});
afterEach(async () => {
  await daemon?.end('SIGKILL');
  daemon = undefined;
  rmSync(data, { recursive: true, force: true });
});

const tokenFile = (token: string) => {
  const path = join(data, 'token');
  writeFileSync(path, `${token}\n`);
  return path;
};
const refusal = (args: string[]) =>
  startDaemon(join(data, 'd'), args).then(
    (started) => started.end('SIGKILL').then(() => expect.fail('the daemon started')),
    (error: Error) => error.message,
  );

async function call(method: string, path: string, token?: string) {
  const { hostname, port } = new URL(daemon!.url);
  const response = await fetch(`http://${hostname === '0.0.0.0' ? '127.0.0.1' : hostname}:${port}${path}`, {
    method,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

describe('without a token', () => {
  it.each([
    ['all addresses', '0.0.0.0'],
    ['all of IPv6', '::'],
    ['no address', ''],
  ])('the daemon does not listen on %s', async (_, host) => {
    expect(await refusal(['--host', host])).toMatch(
      /ended with 2: .*--token-file or in BPFREPLAY_TOKEN, or listen on 127/,
    );
  });

  it('it listens on this machine alone', async () => {
    daemon = await startDaemon(data, ['--host', 'localhost']);
    expect((await call('GET', '/v1/programs')).status).toBe(200);
  });
});

describe('with tokens', () => {
  it('each is held to what it allows, and health needs none', async () => {
    const args = ['--host', '0.0.0.0', '--token-file', tokenFile(FULL)];
    daemon = await startDaemon(join(data, 'd'), args, { BPFREPLAY_READ_TOKEN: READ });
    for (const path of ['/livez', '/readyz', '/v1/openapi.json', '/docs/']) {
      expect((await call('GET', path)).status).toBe(200);
    }
    const id = '0'.repeat(64);
    const statuses = async (token?: string) => [
      (await call('GET', '/v1/programs', token)).status,
      (await call('GET', '/metrics', token)).status,
      (await call('HEAD', `/v1/captures/${id}`, token)).status,
      (await call('DELETE', `/v1/programs/${id}`, token)).status,
      (await call('POST', '/v1/replays', token)).status,
      (await call('GET', '/nothing/here', token)).status,
    ];
    expect(await statuses(FULL)).toEqual([200, 200, 404, 404, 400, 404]);
    expect(await statuses(READ)).toEqual([200, 200, 404, 403, 403, 404]);
    for (const token of [undefined, 'other-0123456789abcdef', FULL.slice(0, -1)]) {
      expect(await statuses(token)).toEqual([401, 401, 401, 401, 401, 401]);
    }
    const { headers, text } = await call('DELETE', `/v1/programs/${id}`, READ);
    expect(headers.get('www-authenticate')).toBe('Bearer realm="bpfreplay", error="insufficient_scope"');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(JSON.parse(text)).toMatchObject({ code: 'insufficient-scope', status: 403 });
    expect((await call('GET', '/v1/programs')).headers.get('www-authenticate')).toBe('Bearer realm="bpfreplay"');
    for (const token of [FULL, READ]) expect(daemon.log()).not.toContain(token);
  });

  it.each([
    ['short', 'secret', /the token of --token-file \S+ is to be 16 or more/],
    ['empty', '', /16 or more/],
    ['of two lines', `${FULL}\n${READ}`, /16 or more/],
  ])('one that is %s is refused', async (_, token, message) => {
    expect(await refusal(['--token-file', tokenFile(token)])).toMatch(message);
  });
});

it('a client that asks too often is told to wait', async () => {
  daemon = await startDaemon(data, ['--rate', '1']);
  const answers = await Promise.all(Array.from({ length: 20 }, () => call('GET', '/v1/programs')));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(5);
  expect(refused[0]!.headers.get('retry-after')).toBe('1');
  expect(JSON.parse(refused[0]!.text)).toMatchObject({ code: 'rate-limited', limit: 1, option: '--rate' });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect((await call('GET', '/v1/programs')).status).toBe(200);
});
