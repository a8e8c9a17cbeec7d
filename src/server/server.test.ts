import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import type { Progress, ReplayFailure, ReplayResult, Tally } from '../index.ts';
import { PROBLEMS } from './problems.ts';
import { createServer, type ServerOptions } from './server.ts';
import type { StartReplay } from './services.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OBJECT = readFileSync(join(ROOT, 'programs/blocklist.bpf.o'));
const CAPTURE = readFileSync(join(ROOT, 'pcaps/dns.pcap'));
const OCTETS = { 'content-type': 'application/octet-stream' };

const opened: { readonly app: FastifyInstance; readonly data: string }[] = [];

async function open(options: Partial<ServerOptions> = {}) {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-server-'));
  const app = await createServer({ data, drain: 0, ...options });
  opened.push({ app, data });
  const inject = async (request: InjectOptions) => {
    const answer = await app.inject(request);
    return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? null : answer.json() };
  };
  const get = (url: string) => inject({ method: 'GET', url });
  const post = (url: string, payload: Uint8Array | Readable, headers: Record<string, string> = OCTETS) =>
    inject({ method: 'POST', url, headers, payload: payload instanceof Readable ? payload : Buffer.from(payload) });
  return {
    app,
    data,
    inject,
    get,
    post,
    /** Submits program and capture, and gives what a replay of them asks for. */
    async pair() {
      const program = (await post('/v1/programs', OBJECT)).body.id;
      const capture = (await post('/v1/captures', CAPTURE)).body.id;
      return { program, capture };
    },
    replay: (payload: object) => inject({ method: 'POST', url: '/v1/replays', payload }),
    metrics: async () => (await app.inject('/metrics')).body,
  };
}

afterEach(async () => {
  for (const { app, data } of opened.splice(0)) {
    await app.close();
    rmSync(data, { recursive: true, force: true });
  }
});

/** Replays that the test ends. */
function manualReplays() {
  const started: { end(result: ReplayResult | ReplayFailure): void; progress(at: Progress): void }[] = [];
  const startReplay: StartReplay = (_request, onProgress = () => {}) => {
    let end = (_: ReplayResult | ReplayFailure) => {};
    const finished = new Promise<ReplayResult | ReplayFailure>((resolve) => {
      end = resolve;
    });
    started.push({ end, progress: onProgress });
    const cancelled = { name: 'Cancelled', code: 'cancelled', message: 'ended' };
    return { finished, cancel: async () => end(cancelled) };
  };
  return { started, startReplay };
}

const tally = (more: Partial<Tally>): Tally => ({
  program: 'p',
  type: 'xdp',
  packets: 0,
  bytes: 0,
  verdicts: {},
  skipped: {},
  headerAdded: {},
  errors: {},
  redirects: {},
  events: {},
  traces: 0,
  firstTime: null,
  lastTime: null,
  instructions: 0,
  captureError: null,
  ...more,
});

const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

describe('replays', () => {
  it('run one after the other, with progress, and each ends in its own state', async () => {
    const { started, startReplay } = manualReplays();
    const { pair, replay, get, metrics } = await open({ startReplay });
    const request = await pair();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await replay(request)).body.id);
    await settle();
    const states = async () => (await get('/v1/replays')).body.items.map(({ state }: { state: string }) => state);
    expect(await states()).toEqual(['running', 'queued', 'queued']);

    started[0]!.progress({ packets: 5, bytesRead: 100, bytesTotal: CAPTURE.length });
    const progress = { packets: 5, bytesRead: 100, bytesTotal: CAPTURE.length };
    expect((await get(`/v1/replays/${ids[0]}`)).body.progress).toEqual(progress);
    started[0]!.end({ tally: tally({ packets: 5 }), maps: [] });
    await settle();
    started[1]!.end({ name: 'OptionError', code: 'no-such-map', message: 'the object has no map x' });
    await settle();
    expect(await states()).toEqual(['succeeded', 'failed', 'running']);
    expect((await get(`/v1/replays/${ids[1]}`)).body.error.code).toBe('no-such-map');
    expect(await metrics()).toMatch(/bpfreplay_replays_total\{state="failed"\} 1\n/);
  });

  it('that cannot even be started fail, and the next one runs', async () => {
    let calls = 0;
    const { started, startReplay } = manualReplays();
    const { pair, replay, get } = await open({
      startReplay: (...args) => {
        if (calls++ === 0) throw new Error('no thread: /secret/path');
        return startReplay(...args);
      },
    });
    const request = await pair();
    const { id } = (await replay(request)).body;
    await replay(request);
    await settle();
    const { state, error } = (await get(`/v1/replays/${id}`)).body;
    expect(state).toBe('failed');
    expect(error.message).not.toContain('secret');
    expect(started).toHaveLength(1);
  });

  it('are refused when too many wait', async () => {
    const { startReplay } = manualReplays();
    const { pair, replay } = await open({ startReplay, maxQueue: 1 });
    const request = await pair();
    await replay(request);
    await replay(request);
    const { status, body } = await replay(request);
    expect([status, body.code]).toEqual([429, 'too-many-requests']);
  });

  it('of codes without a name share one label in the metrics', async () => {
    const { started, startReplay } = manualReplays();
    const { pair, replay, metrics } = await open({ startReplay });
    await replay(await pair());
    await settle();
    const one = { packets: 1, bytes: 60 };
    started[0]!.end({ tally: tally({ verdicts: { '77': one, '-5': one, XDP_TX: one } }), maps: [] });
    await settle();
    const text = await metrics();
    expect(text).toContain('bpfreplay_packets_total{program_type="xdp",verdict="other"} 2');
    expect(text).toContain('bpfreplay_packet_bytes_total{program_type="xdp",verdict="XDP_TX"} 60');
    expect(text).not.toContain('verdict="77"');
  });
});

describe('uploads', () => {
  it.each([
    ['object', '/v1/programs', OBJECT, { maxObject: 1000 }],
    ['capture', '/v1/captures', CAPTURE, { maxCapture: 1000 }],
  ] as const)('of an %s that is too large name the bound and the option', async (field, url, bytes, limits) => {
    const { post, data } = await open(limits);
    const raw = await post(url, bytes);
    expect(raw.status).toBe(413);
    expect(raw.body).toMatchObject({ code: 'too-large', limit: 1000, option: `--max-${field}` });
    expect(raw.body.detail).toContain(`1000 bytes allowed; the daemon's option --max-${field}`);
    // Of a length that is not told beforehand.
    const chunked = await post(url, Readable.from([bytes.subarray(0, 600), bytes.subarray(600)]));
    expect(chunked.body.code).toBe('too-large');
    const head = `--q\r\nContent-Disposition: form-data; name="${field}"; filename="x"\r\n\r\n`;
    const form = Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--q--\r\n')]);
    const multipart = await post(url, form, { 'content-type': 'multipart/form-data; boundary=q' });
    expect(multipart.body.code).toBe('too-large');
    expect(readdirSync(join(data, 'uploads'))).toEqual([]);
  });

  it('that come at the same time are one', async () => {
    const { post, get } = await open();
    const answers = await Promise.all([1, 2, 3, 4].map(() => post('/v1/captures', CAPTURE)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
    expect((await get('/v1/captures')).body.items).toHaveLength(1);
  });

  it('of an empty capture are kept', async () => {
    const { post } = await open();
    const { status, body } = await post('/v1/captures', CAPTURE.subarray(0, 24));
    expect([status, body.summary.packets, body.summary.error]).toEqual([201, 0, null]);
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('compressed by %s are taken as what they were', async (encoding, compress) => {
    const { post, data } = await open();
    const plain = (await post('/v1/captures', CAPTURE)).body;
    const asFile = await post('/v1/captures', compress(CAPTURE));
    expect(asFile).toMatchObject({ status: 200, body: { id: plain.id, size: CAPTURE.length } });
    const onTheWay = await post('/v1/captures', compress(CAPTURE), { ...OCTETS, 'content-encoding': encoding });
    expect(onTheWay.body).toEqual(plain);
    const both = await post('/v1/captures', compress(gzipSync(CAPTURE)), { ...OCTETS, 'content-encoding': encoding });
    expect(both.body).toEqual(plain);
    // Of several members or frames, as `cat a.gz b.gz` makes them.
    const parts = Buffer.concat([compress(CAPTURE.subarray(0, 500)), compress(CAPTURE.subarray(500))]);
    expect((await post('/v1/captures', parts)).body).toEqual(plain);
    const form = Buffer.concat([
      Buffer.from('--q\r\nContent-Disposition: form-data; name="capture"; filename="x.gz"\r\n\r\n'),
      compress(CAPTURE),
      Buffer.from('\r\n--q--\r\n'),
    ]);
    const multipart = await post('/v1/captures', form, { 'content-type': 'multipart/form-data; boundary=q' });
    expect(multipart.body).toEqual(plain);
    expect(readdirSync(join(data, 'uploads'))).toEqual([]);
  });

  it.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const)('compressed by %s are refused when cut, damaged, or too large inside', async (encoding, compress) => {
    const { post, data } = await open({ maxCapture: 20_000 });
    const whole = compress(CAPTURE);
    const answers = [
      await post('/v1/captures', whole.subarray(0, whole.length - 9)),
      await post('/v1/captures', Uint8Array.from(whole).fill(0xa5, 20, 200)),
      await post('/v1/captures', CAPTURE, { ...OCTETS, 'content-encoding': encoding }),
      await post('/v1/captures', compress(new Uint8Array(64 * 2 ** 20))),
      await post('/v1/captures', CAPTURE, { ...OCTETS, 'content-encoding': 'br' }),
    ];
    expect(answers.map(({ status, body }) => `${status} ${body.code}`)).toEqual([
      '400 malformed-encoding',
      '400 malformed-encoding',
      '400 malformed-encoding',
      '413 too-large',
      '415 unsupported-media-type',
    ]);
    expect(readdirSync(join(data, 'uploads'))).toEqual([]);
  });
});

describe('the content of a capture', () => {
  it('comes whole, or the part that is asked for', async () => {
    const { app, post } = await open();
    const { id } = (await post('/v1/captures', CAPTURE)).body;
    const url = `/v1/captures/${id}/content`;
    const get = (headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers });
    const whole = await get();
    expect(whole.rawPayload).toEqual(CAPTURE);
    expect(whole.headers).toMatchObject({
      'content-type': 'application/vnd.tcpdump.pcap',
      'accept-ranges': 'bytes',
      'content-disposition': `attachment; filename="${id}.pcap"`,
    });
    const part = await get({ range: 'bytes=24-123' });
    expect([part.statusCode, part.headers['content-range']]).toEqual([206, `bytes 24-123/${CAPTURE.length}`]);
    expect(part.rawPayload).toEqual(CAPTURE.subarray(24, 124));
    const { etag } = whole.headers as { etag: string };
    expect((await get({ range: 'bytes=-10', 'if-range': etag })).rawPayload).toEqual(CAPTURE.subarray(-10));
    expect((await get({ range: 'bytes=-10', 'if-range': '"other"' })).rawPayload).toEqual(CAPTURE);
    const beyond = await get({ range: `bytes=${CAPTURE.length}-` });
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, `bytes */${CAPTURE.length}`]);
    expect(beyond.json().code).toBe('range-not-satisfiable');
    const head = await app.inject({ method: 'HEAD', url });
    expect([head.statusCode, head.headers['content-length'], head.payload]).toEqual([200, `${CAPTURE.length}`, '']);
  });

  it('that somebody removed is told of', async () => {
    const { data, get, post } = await open();
    const { id } = (await post('/v1/captures', CAPTURE)).body;
    rmSync(join(data, 'captures', `${id}.cap`));
    const { status, body } = await get(`/v1/captures/${id}/content`);
    expect([status, body.code]).toEqual([500, 'data-damaged']);
    expect(body.detail).not.toContain(data);
  });
});

it('clears half uploads of a daemon that was killed, and nothing that is not its own', async () => {
  const data = mkdtempSync(join(tmpdir(), 'bpfreplay-server-'));
  const uuid = '0d5bfa8e-90ab-4c6e-9a0c-5b1c9d4f7f10';
  mkdirSync(join(data, 'uploads'));
  for (const name of [`${uuid}.part`, 'thesis.part']) writeFileSync(join(data, 'uploads', name), 'x');
  const app = await createServer({ data });
  opened.push({ app, data });
  expect(readdirSync(join(data, 'uploads'))).toEqual(['thesis.part']);
});

it('is not ready when no file can be made', async () => {
  const { data, get } = await open();
  rmSync(data, { recursive: true });
  const { status, body } = await get('/readyz');
  expect([status, body.code]).toEqual([503, 'not-ready']);
  expect((await get('/livez')).status).toBe(200);
});

it('tells nothing of what broke inside', async () => {
  const { data, post } = await open();
  rmSync(join(data, 'uploads'), { recursive: true });
  const { status, body } = await post('/v1/captures', CAPTURE);
  expect([status, body.code]).toEqual([500, 'internal']);
  expect(JSON.stringify(body)).not.toContain(data);
});

it('lists in the OpenAPI document every problem that a route throws', () => {
  const codes = new Set(Object.keys(PROBLEMS));
  const sources = readdirSync(join(ROOT, 'src/server')).filter((name) =>
    /^(programs|captures|records|replays)\.ts$/.test(name),
  );
  for (const source of sources) {
    const text = readFileSync(join(ROOT, 'src/server', source), 'utf8');
    const lists = text.matchAll(/\bproblems\(([^)]*)\)/g);
    const listed = new Set([...lists].flatMap(([, list]) => list!.match(/[\w-]+/g) ?? []));
    for (const [, code] of text.matchAll(/new Problem\(\s*'([^']+)'/g)) {
      expect(codes).toContain(code);
      expect(listed).toContain(code);
    }
  }
});

describe('whatever comes', () => {
  it('as a replay is refused with a problem, or taken', async () => {
    const { startReplay } = manualReplays();
    const { pair, replay } = await open({ startReplay });
    const good = await pair();
    const hostile = fc.oneof(fc.jsonValue(), fc.constantFrom('', -1, 2 ** 53, 1e308, null, '../../etc/passwd', []));
    const names = [
      'program',
      'capture',
      'entry',
      'type',
      'cpus',
      'seed',
      'clock',
      'ifindex',
      'mapInit',
      'budget',
      'maps',
    ];
    const member = fc.oneof(fc.constantFrom(...names), fc.string());
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(fc.tuple(member, hostile), { maxLength: 3 }), async (whole, members) => {
        const { status, headers, body } = await replay({ ...(whole ? good : {}), ...Object.fromEntries(members) });
        if (status === 202) return;
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
        expect(headers['content-type']).toContain('application/problem+json');
        expect(body.code in PROBLEMS).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('as a form is refused with a problem, or taken, and nothing is left behind', async () => {
    const { data, post } = await open();
    const whole = Buffer.concat([
      Buffer.from('--q\r\nContent-Disposition: form-data; name="capture"; filename="x"\r\n\r\n'),
      CAPTURE.subarray(0, 400),
      Buffer.from('\r\n--q\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--q--\r\n'),
    ]);
    const edit = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 4 }), fc.nat(whole.length), async (edits, length) => {
        const form = Uint8Array.from(whole);
        for (const [at, byte] of edits) form[at] = byte;
        const cut = form.subarray(0, length);
        const { status } = await post('/v1/captures', cut, { 'content-type': 'multipart/form-data; boundary=q' });
        expect([200, 201, 400, 422]).toContain(status);
        expect(readdirSync(join(data, 'uploads'))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
