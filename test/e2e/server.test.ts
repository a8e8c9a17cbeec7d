import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runReplay } from '../../src/index.ts';
import { generateCapture } from '../../tools/generate-capture.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const BIN = join(ROOT, 'bin/bpfreplay.js');
const object = (name: string) => join(ROOT, `programs/${name}.bpf.o`);
const pcap = (name: string) => join(ROOT, `pcaps/${name}`);

const data = mkdtempSync(join(tmpdir(), 'bpfreplay-e2e-'));
let daemon: ChildProcessByStdio<null, null, Readable>;
let url: string;
let log = '';

beforeAll(async () => {
  daemon = spawn(process.execPath, [BIN, 'serve', '--port', '0', '--data', data], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  url = await new Promise((resolve, reject) => {
    daemon.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      const line = log.includes('\n') ? log.slice(0, log.indexOf('\n')) : undefined;
      if (line !== undefined) resolve((JSON.parse(line) as { url: string }).url);
    });
    daemon.on('exit', (code) => reject(new Error(`the daemon ended with ${code}: ${log}`)));
  });
});

afterAll(() => {
  daemon.kill('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into whatever comes
  readonly body: any;
}

async function call(method: string, path: string, body?: unknown, type?: string): Promise<Answer> {
  const raw = body instanceof Uint8Array || body instanceof FormData || typeof body === 'string';
  const contentType = type ?? (body === undefined || raw ? undefined : 'application/json');
  const response = await fetch(url + path, {
    method,
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    ...(contentType === undefined ? {} : { headers: { 'content-type': contentType } }),
  });
  const text = await response.text();
  const answerType = response.headers.get('content-type') ?? '';
  const isJson = /^application\/(problem\+)?json/.test(answerType);
  return {
    status: response.status,
    type: answerType,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  };
}

const OCTETS = 'application/octet-stream';
const submit = (name: string) => call('POST', `/v1/programs?name=${name}`, readFileSync(object(name)), OCTETS);
const upload = (name: string) => call('POST', `/v1/captures?name=${name}`, readFileSync(pcap(name)), OCTETS);

function form(field: string, bytes: Uint8Array, fileName: string): FormData {
  const result = new FormData();
  result.append(field, new Blob([bytes as Uint8Array<ArrayBuffer>]), fileName);
  return result;
}

async function finished(id: string): Promise<Answer['body']> {
  for (;;) {
    const { body } = await call('GET', `/v1/replays/${id}`);
    if (body.state !== 'queued' && body.state !== 'running') return body;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function expectProblem({ status, type, body }: Answer, expectedStatus: number, code: string): void {
  expect({ status, code: body.code, type }).toEqual({
    status: expectedStatus,
    code,
    type: 'application/problem+json; charset=utf-8',
  });
  expect(body).toMatchObject({ type: `urn:bpfreplay:problem:${code}`, status: expectedStatus });
  expect(body.title).toBeTruthy();
  expect(body.detail).toBeTruthy();
  expect(body.instance).toMatch(/^urn:uuid:/);
  expect(JSON.stringify(body)).not.toMatch(/node_modules|\.ts:\d|\bat \w+ \(/);
}

describe('the daemon', () => {
  it('takes a program, a capture and a replay, and tallies as the library does', async () => {
    const program = await submit('blocklist');
    expect(program.status).toBe(201);
    expect(program.headers.get('location')).toBe(`/v1/programs/${program.body.id}`);
    expect(program.body).toMatchObject({
      name: 'blocklist',
      entry: 'blocklist',
      programs: [{ name: 'blocklist', section: 'xdp', type: 'xdp', verdict: 'accept', refusal: null }],
    });
    expect(program.body.maps[0]).toMatchObject({
      name: 'blocked_v4',
      type: 'lpm_trie',
      keySize: 8,
      valueSize: 4,
      maxEntries: 1024,
      flags: 1,
      value: { c: 'typedef unsigned int __u32', members: null },
    });
    expect((await submit('blocklist')).status).toBe(200);

    const capture = await upload('mixed.pcap');
    expect(capture.status).toBe(201);
    const size = readFileSync(pcap('mixed.pcap')).length;
    expect(capture.body).toMatchObject({ size, summary: { format: 'pcap', error: null } });
    const again = await call('POST', '/v1/captures', form('capture', readFileSync(pcap('mixed.pcap')), 'other.pcap'));
    expect(again).toMatchObject({ status: 200, body: { id: capture.body.id, name: 'mixed.pcap' } });

    const mapInit = JSON.parse(readFileSync(join(ROOT, 'programs/blocklist.maps.json'), 'utf8'));
    const started = await call('POST', '/v1/replays', {
      program: program.body.id,
      capture: capture.body.id,
      seed: 7,
      mapInit,
      maps: true,
      packets: true,
    });
    expect(started.status).toBe(202);
    expect(started.headers.get('location')).toBe(`/v1/replays/${started.body.id}`);
    const replay = await finished(started.body.id);

    const expected = runReplay({
      object: object('blocklist'),
      capture: pcap('mixed.pcap'),
      options: { seed: 7, mapInit },
      maps: true,
    });
    expect(replay).toMatchObject({ state: 'succeeded', error: null });
    expect(replay.tally).toEqual(expected.tally);
    expect(replay.tally.verdicts.XDP_DROP.packets).toBeGreaterThan(0);
    expect(replay.progress).toMatchObject({ packets: expected.tally.packets, bytesRead: size, bytesTotal: size });

    const maps = await call('GET', `/v1/replays/${replay.id}/maps.json`);
    expect(maps.body).toEqual({ maps: expected.maps });
    const packets = await call('GET', `/v1/replays/${replay.id}/packets.ndjson`);
    expect(packets.type).toBe('application/x-ndjson');
    const lines = (packets.body as string).trimEnd().split('\n');
    expect(lines).toHaveLength(replay.tally.packets);
    expect(JSON.parse(lines[0]!)).toMatchObject({ index: 0, ts_ns: replay.tally.firstTime, error: null });

    const metrics = await call('GET', '/metrics');
    const { packets: dropped } = replay.tally.verdicts.XDP_DROP;
    expect(metrics.body).toContain(
      `bpfreplay_packets_total{program="blocklist",program_type="xdp",verdict="XDP_DROP"} ${dropped}`,
    );
    expect(metrics.body).toContain('bpfreplay_replays_total{state="succeeded"} 1');
    expect(metrics.body).toContain('process_cpu_seconds_total');

    expect((await call('DELETE', `/v1/replays/${replay.id}`)).status).toBe(204);
    expectProblem(await call('GET', `/v1/replays/${replay.id}`), 404, 'replay-not-found');
    expect((await call('DELETE', `/v1/programs/${program.body.id}`)).status).toBe(204);
    expectProblem(await call('DELETE', `/v1/programs/${program.body.id}`), 404, 'program-not-found');
    expect((await call('DELETE', `/v1/captures/${capture.body.id}`)).status).toBe(204);
    expectProblem(await call('GET', `/v1/captures/${capture.body.id}`), 404, 'capture-not-found');
    for (const folder of ['programs', 'captures', 'replays', 'uploads']) {
      expect(readdirSync(join(data, folder))).toEqual([]);
    }
  });

  it('takes multipart forms, and lists in pages', async () => {
    const names = ['dns.pcap', 'arp.pcap', 'two-sections.pcapng'];
    for (const name of names) {
      const body = form('capture', readFileSync(pcap(name)), `dir/${name}`);
      body.append('name', name);
      expect(await call('POST', '/v1/captures', body)).toMatchObject({ status: 201, body: { name } });
    }
    const first = await call('GET', '/v1/captures?limit=2');
    expect(first.body.items.map((item: { name: string }) => item.name)).toEqual(names.slice(0, 2));
    const second = await call('GET', `/v1/captures?limit=2&cursor=${first.body.next}`);
    expect(second.body).toMatchObject({ items: [{ name: names[2], summary: { format: 'pcapng' } }], next: null });
    const program = await call('POST', '/v1/programs', form('object', readFileSync(object('vlan')), 'vlan.o'));
    expect(program).toMatchObject({ status: 201, body: { name: 'vlan.o' } });
    expect((await call('GET', '/v1/programs')).body.items).toEqual([program.body]);
  });

  it('answers while a replay runs, cancels it, and keeps what it uses', async () => {
    const pieces: Uint8Array[] = [];
    const options = { packets: 400_000, size: 64, seed: 1, flows: 100, profile: 'mixed', format: 'pcap' } as const;
    generateCapture(options, (piece) => pieces.push(piece));
    const capture = await call('POST', '/v1/captures', new Uint8Array(Buffer.concat(pieces)), OCTETS);
    expect(capture.body.summary.packets).toBe(400_000);
    const program = await submit('flowstats');
    const request = { program: program.body.id, capture: capture.body.id, entry: 'flowstats', packets: true };
    const running = await call('POST', '/v1/replays', request);
    const waiting = await call('POST', '/v1/replays', request);

    let seen = running.body;
    while (seen.progress.packets === 0) seen = (await call('GET', `/v1/replays/${running.body.id}`)).body;
    expect(seen.state).toBe('running');
    const { bytesRead, bytesTotal } = seen.progress;
    expect(bytesRead).toBeLessThan(bytesTotal);
    expect((await call('GET', '/livez')).status).toBe(200);
    expectProblem(await call('DELETE', `/v1/programs/${program.body.id}`), 409, 'in-use');
    expectProblem(await call('DELETE', `/v1/captures/${capture.body.id}`), 409, 'in-use');
    expectProblem(await call('GET', `/v1/replays/${running.body.id}/packets.ndjson`), 409, 'replay-not-finished');

    const ofWaiting = await call('DELETE', `/v1/replays/${waiting.body.id}`);
    expect(ofWaiting).toMatchObject({ status: 200, body: { state: 'cancelled', startedAt: null } });
    const ofRunning = await call('DELETE', `/v1/replays/${running.body.id}`);
    expect(ofRunning).toMatchObject({ status: 200, body: { state: 'cancelled', partial: true } });
    expect(ofRunning.body.tally.packets).toBe(ofRunning.body.progress.packets);
    expectProblem(await call('GET', `/v1/replays/${running.body.id}/maps.json`), 404, 'not-recorded');
    for (const { body } of [running, waiting])
      expect((await call('DELETE', `/v1/replays/${body.id}`)).status).toBe(204);
    expect((await call('DELETE', `/v1/captures/${capture.body.id}`)).status).toBe(204);
  });

  it('says why a replay failed', async () => {
    const program = (await submit('blocklist')).body;
    const capture = (await upload('dns.pcap')).body;
    const mapInit = { blocked_ports: [{ key: '00', value: '00000000' }] };
    const { body } = await call('POST', '/v1/replays', { program: program.id, capture: capture.id, mapInit });
    const replay = await finished(body.id);
    expect(replay).toMatchObject({ state: 'failed', tally: null, error: { name: 'OptionError', code: 'bad-size' } });
    expect(replay.error.message).toContain('blocked_ports');
  });

  it('keeps what was good of a damaged capture', async () => {
    const whole = readFileSync(pcap('http.pcap'));
    const cut = await call('POST', '/v1/captures', whole.subarray(0, whole.length - 5), OCTETS);
    expect(cut.status).toBe(201);
    expect(cut.body.summary.packets).toBeGreaterThan(0);
    expect(cut.body.summary.error).toMatchObject({ code: expect.any(String), packet: cut.body.summary.packets });
    const program = (await submit('vlan')).body;
    const [entry] = program.programs;
    const request = { program: program.id, capture: cut.body.id, entry: entry.name };
    const replay = await finished((await call('POST', '/v1/replays', request)).body.id);
    expect(replay.state).toBe('succeeded');
    expect(replay.tally.captureError.code).toBe(cut.body.summary.error.code);
  });

  describe('refuses with a problem', () => {
    const id = '0'.repeat(64);
    const uuid = '00000000-0000-0000-0000-000000000000';
    const garbage = new Uint8Array(5000).fill(0xa5);
    const elf = () => readFileSync(object('blocklist')).subarray(0, 3000);
    const cases: readonly (readonly [string, number, string, () => Promise<Answer>])[] = [
      ['an object of garbage', 422, 'bad-object', () => call('POST', '/v1/programs', garbage, OCTETS)],
      ['half an object', 422, 'bad-object', () => call('POST', '/v1/programs', elf(), OCTETS)],
      ['a capture of garbage', 422, 'bad-capture', () => call('POST', '/v1/captures', garbage, OCTETS)],
      ['an object as capture', 422, 'bad-capture', () => call('POST', '/v1/captures', elf(), OCTETS)],
      ['an empty body', 422, 'bad-object', () => call('POST', '/v1/programs', new Uint8Array(), OCTETS)],
      ['no body', 400, 'no-body', () => call('POST', '/v1/programs')],
      ['text', 415, 'unsupported-media-type', () => call('POST', '/v1/captures', 'hello', 'text/plain')],
      ['JSON for a capture', 415, 'unsupported-media-type', () => call('POST', '/v1/captures', { a: 1 })],
      [
        'a form of the wrong field',
        400,
        'malformed-multipart',
        () => call('POST', '/v1/captures', form('object', garbage, 'x')),
      ],
      [
        'a form without a file',
        400,
        'malformed-multipart',
        () => {
          const body = new FormData();
          body.append('name', 'x');
          return call('POST', '/v1/captures', body);
        },
      ],
      [
        'a form that is none',
        400,
        'malformed-multipart',
        () => call('POST', '/v1/captures', 'xx', 'multipart/form-data; boundary=q'),
      ],
      [
        'a form without boundary',
        400,
        'malformed-multipart',
        () => call('POST', '/v1/captures', 'xx', 'multipart/form-data'),
      ],
      ['an unknown path', 404, 'route-not-found', () => call('GET', '/v2/programs')],
      [
        'a path out of the data directory',
        400,
        'validation',
        () => call('GET', '/v1/captures/..%2f..%2f..%2fetc%2fpasswd'),
      ],
      ['an encoded path that is none', 400, 'bad-request', () => call('GET', '/v1/captures/%zz')],
      ['an id of no program', 404, 'program-not-found', () => call('GET', `/v1/programs/${id}`)],
      ['an id of no replay', 404, 'replay-not-found', () => call('DELETE', `/v1/replays/${uuid}`)],
      ['a malformed id', 400, 'validation', () => call('DELETE', '/v1/programs/__proto__')],
      ['a wrong method', 405, 'method-not-allowed', () => call('PUT', '/v1/programs')],
      ['an unknown query', 400, 'validation', () => call('GET', '/v1/programs?order=name')],
      ['a page of none', 400, 'validation', () => call('GET', '/v1/programs?limit=0')],
      ['a replay of nothing', 400, 'validation', () => call('POST', '/v1/replays', {})],
      ['a replay without a body', 400, 'validation', () => call('POST', '/v1/replays')],
      [
        'a replay of an unknown program',
        422,
        'unknown-program',
        () => call('POST', '/v1/replays', { program: id, capture: id }),
      ],
      [
        'an unknown member',
        400,
        'validation',
        () => call('POST', '/v1/replays', { program: id, capture: id, object: '/etc/passwd' }),
      ],
      [
        'a number as text',
        400,
        'validation',
        () => call('POST', '/v1/replays', { program: id, capture: id, seed: '1' }),
      ],
      [
        'JSON that is none',
        400,
        'malformed-json',
        () => call('POST', '/v1/replays', '{"program":', 'application/json'),
      ],
      [
        'a prototype',
        400,
        'malformed-json',
        () => call('POST', '/v1/replays', '{"__proto__": {"program": 1}}', 'application/json'),
      ],
    ];
    it.each(cases)('%s', async (_what, status, code, act) => expectProblem(await act(), status, code));

    it('an entry that is not there, or is left open', async () => {
      const capture = (await upload('dns.pcap')).body.id;
      const program = (await submit('blocklist')).body.id;
      const unknown = await call('POST', '/v1/replays', { program, capture, entry: 'main' });
      expectProblem(unknown, 422, 'unknown-entry');
      expect(unknown.body.detail).toContain('it has blocklist');
    });

    it('and names the member that is unknown', async () => {
      const { body } = await call('POST', '/v1/replays', { program: id, capture: id, objct: 1 });
      expect(body.errors).toEqual([{ at: 'body', message: 'must not have additional properties: objct' }]);
    });

    it('with the methods that are allowed', async () => {
      const { headers } = await call('PATCH', `/v1/programs/${id}`);
      expect(headers.get('allow')).toBe('GET, HEAD, DELETE');
    });

    it('what is not HTTP', async () => {
      const answer = await exchange('NONSENSE\r\n\r\n');
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain('application/problem+json');
      expect(JSON.parse(answer.slice(answer.indexOf('{')))).toMatchObject({ code: 'bad-request', status: 400 });
    });
  });

  it('keeps nothing of an upload that is cut', async () => {
    const before = (await call('GET', '/v1/captures')).body;
    const head = 'POST /v1/captures HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n';
    const good = readFileSync(pcap('dns.pcap'));
    await exchange(`${head}Content-Type: ${OCTETS}\r\n\r\n`, good, 100);
    const part = '--q\r\nContent-Disposition: form-data; name="capture"; filename="x"\r\n\r\n';
    await exchange(`${head}Content-Type: multipart/form-data; boundary=q\r\n\r\n${part}`, good, 100);
    await expect.poll(() => readdirSync(join(data, 'uploads')), { timeout: 30_000 }).toEqual([]);
    expect((await call('GET', '/v1/captures')).body).toEqual(before);
  });

  it('describes itself: each route, each answer, all references whole', async () => {
    const { body } = await call('GET', '/v1/openapi.json');
    expect(body.openapi).toBe('3.1.0');
    for (const [, name] of JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)) {
      expect(Object.keys(body.components.schemas)).toContain(name);
    }
    for (const operations of Object.values<Record<string, { summary?: string; responses: object }>>(body.paths)) {
      for (const operation of Object.values(operations)) expect(operation.summary).toBeTruthy();
    }
    expect((await call('GET', '/docs')).type).toContain('text/html');
    const page = await fetch(`${url}/docs/static/swagger-initializer.js`);
    expect(page.status).toBe(200);
  });

  it('is alive and ready, sends security headers and request ids', async () => {
    for (const path of ['/livez', '/readyz']) {
      const answer = await call('GET', path);
      expect(answer).toMatchObject({ status: 200, body: { status: 'ok' } });
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  it('logs JSON without a byte of a packet, and ends on SIGTERM', async () => {
    const ended = new Promise((resolve) => daemon.on('exit', (code) => resolve(code)));
    daemon.kill('SIGTERM');
    expect(await ended).toBe(0);
    const lines = log.trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty('msg');
    expect(JSON.parse(lines[0]!).msg).toBe(`listening on ${url}`);
    expect(lines.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  });
});

/** Sends raw bytes; hangs up after `patience` ms, or when the daemon does. Resolves with what came back. */
function exchange(head: string, body: Uint8Array = new Uint8Array(), patience = 10_000): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(Number(port), hostname, () => {
      socket.write(head);
      socket.write(body);
    });
    socket.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    const timer = setTimeout(() => socket.destroy(), patience);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
    socket.on('error', reject);
  });
}
