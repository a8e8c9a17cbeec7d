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
    const ask = async () => ({ error: { name: 'Ended', code: 'ended', message: 'it ended before it could answer' } });
    return { finished, ask, cancel: async () => end(cancelled) };
  };
  return { started, startReplay };
}

const tally = (more: Partial<Tally>): Tally => ({
  program: 'p',
  type: 'xdp',
  packets: 0,
  bytes: 0,
  verdicts: {},
  protocols: {},
  interfaces: {},
  sizes: [],
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

const REST = { stopped: null, series: { seconds: 1, windows: [] }, edits: [], maps: [] };
const done = (more: Partial<Tally>): ReplayResult => ({ tally: tally(more), ...REST });

/** For what a thread does: on a machine that is busy it takes its time. */
const patience = { timeout: 30_000 };

describe('replays', () => {
  it('run one after the other, with progress, and each ends in its own state', async () => {
    const { started, startReplay } = manualReplays();
    const { pair, replay, get, metrics } = await open({ startReplay });
    const request = await pair();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await replay(request)).body.id);
    const states = async () => (await get('/v1/replays')).body.items.map(({ state }: { state: string }) => state);
    await expect.poll(() => started.length, patience).toBe(1);
    expect(await states()).toEqual(['running', 'queued', 'queued']);

    started[0]!.progress({ packets: 5, bytesRead: 100, bytesTotal: CAPTURE.length });
    const progress = { packets: 5, bytesRead: 100, bytesTotal: CAPTURE.length };
    expect((await get(`/v1/replays/${ids[0]}`)).body.progress).toMatchObject(progress);
    started[0]!.end(done({ packets: 5 }));
    await expect.poll(() => started.length, patience).toBe(2);
    started[1]!.end({ name: 'OptionError', code: 'no-such-map', message: 'the object has no map x' });
    await expect.poll(() => started.length, patience).toBe(3);
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
    await expect.poll(() => started.length, patience).toBe(1);
    const { state, error } = (await get(`/v1/replays/${id}`)).body;
    expect(state).toBe('failed');
    expect(error.message).not.toContain('secret');
  });

  it('that run too long fail, and say which option allows more', async () => {
    const { startReplay } = manualReplays();
    const { pair, replay, get } = await open({ startReplay, maxSeconds: 0.05 });
    const { id } = (await replay(await pair())).body;
    await expect.poll(async () => (await get(`/v1/replays/${id}`)).body.state, patience).toBe('failed');
    const { error } = (await get(`/v1/replays/${id}`)).body;
    expect(error).toMatchObject({ name: 'LimitExceeded', code: 'too-long' });
    expect(error.message).toContain('0.05 seconds allowed');
    expect(error.message).toContain('--max-seconds');
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
    await expect.poll(() => started.length, patience).toBe(1);
    const one = { packets: 1, bytes: 60 };
    started[0]!.end(done({ verdicts: { '77': one, '-5': one, XDP_TX: one } }));
    await expect.poll(metrics, patience).toContain('bpfreplay_replays_total{state="succeeded"} 1');
    const text = await metrics();
    expect(text).toContain('bpfreplay_packets_total{program="p",program_type="xdp",verdict="other"} 2');
    expect(text).toContain('bpfreplay_packet_bytes_total{program="p",program_type="xdp",verdict="XDP_TX"} 60');
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

const ASSEMBLY = { 'content-type': 'text/x-bpf-assembly; charset=utf-8' };
const DROP_SHORT = `r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r2 += 100
r0 = 1
if r2 > r3 goto out
r0 = 2
out: exit
`;

describe('programs', () => {
  it('come as assembly text of a type, and run as it', async () => {
    const { app, get, post, replay } = await open({ drain: 60 });
    const capture = (await post('/v1/captures', CAPTURE)).body;
    const submitted = await post('/v1/programs?type=xdp', Buffer.from(DROP_SHORT), ASSEMBLY);
    expect(submitted).toMatchObject({
      status: 201,
      body: { format: 'assembly', entry: 'program', programs: [{ type: 'xdp', verdict: 'accept', instructions: 7 }] },
    });
    // The same text is another program of another type, and the same one of the same.
    const other = await post('/v1/programs?type=sched_cls', Buffer.from(DROP_SHORT), ASSEMBLY);
    expect(other).toMatchObject({ status: 201, body: { programs: [{ type: 'sched_cls' }] } });
    expect(other.body.id).not.toBe(submitted.body.id);
    expect((await post('/v1/programs?type=xdp', Buffer.from(DROP_SHORT), ASSEMBLY)).status).toBe(200);

    const { id } = (await replay({ program: submitted.body.id, capture: capture.id })).body;
    await expect.poll(async () => (await get(`/v1/replays/${id}`)).body.state, patience).toBe('succeeded');
    const { verdicts } = (await get(`/v1/replays/${id}`)).body.tally;
    const { packets } = capture.summary;
    expect(verdicts.XDP_DROP.packets).toBeGreaterThan(0);
    expect(verdicts.XDP_DROP.packets + verdicts.XDP_PASS.packets).toBe(packets);

    const listing = await app.inject(`/v1/programs/${submitted.body.id}/disassembly`);
    expect(listing.headers['content-type']).toContain('application/x-ndjson');
    const lines = listing.body.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { pc: 0, text: 'r2 = *(u32 *)(r1 + 0)', function: 'program', line: null },
      { pc: 1, text: 'r3 = *(u32 *)(r1 + 4)', function: null },
      { pc: 2, text: 'r2 += 100' },
      { pc: 3, text: 'r0 = 1' },
      { pc: 4, text: 'if r2 > r3 goto +1' },
      { pc: 5, text: 'r0 = 2' },
      { pc: 6, text: 'exit' },
    ]);
  });

  it('come as classic BPF, and run on sockets', async () => {
    const { get, post, replay } = await open({ drain: 60 });
    const capture = (await post('/v1/captures', CAPTURE)).body;
    // tcpdump -ddd ip
    const filter = Buffer.from('4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n');
    const { status, body } = await post('/v1/programs', filter, { 'content-type': 'text/x-bpf-classic' });
    expect(status).toBe(201);
    expect(body).toMatchObject({ format: 'classic', entry: 'filter', programs: [{ type: 'socket_filter' }] });
    const { id } = (await replay({ program: body.id, capture: capture.id })).body;
    await expect.poll(async () => (await get(`/v1/replays/${id}`)).body.state, patience).toBe('succeeded');
    expect((await get(`/v1/replays/${id}`)).body.tally.packets).toBe(capture.summary.packets);
  });

  it('that the verifier refuses are kept with its report, and do not run', async () => {
    const { get, pair, post, replay } = await open();
    const { capture } = await pair();
    const { status, body } = await post('/v1/programs?type=xdp', Buffer.from('r0 = 2\nexit\nexit'), ASSEMBLY);
    expect(status).toBe(201);
    const [{ refusal, verdict, report }] = (await get(`/v1/programs/${body.id}`)).body.programs;
    expect([verdict, refusal.pc]).toEqual(['reject', 2]);
    expect(report).toMatchObject({
      code: refusal.code,
      at: { pc: 2 },
      title: expect.any(String),
      rule: expect.any(String),
    });
    const refused = await replay({ program: body.id, capture });
    expect([refused.status, refused.body.code]).toEqual([422, 'program-refused']);
    expect(refused.body.refusal).toEqual(refusal);
  });

  it('have their source lines in the disassembly', async () => {
    const { app, get, pair } = await open();
    const { program } = await pair();
    const lines = (await app.inject(`/v1/programs/${program}/disassembly?program=blocklist`)).body
      .trimEnd()
      .split('\n');
    const [entry] = (await get(`/v1/programs/${program}`)).body.programs;
    const starts = lines.map((line) => JSON.parse(line)).filter((line) => line.function !== null);
    expect(starts.map(({ pc, function: name }) => ({ name, start: pc }))).toEqual(
      entry.functions.map(({ name, start }: { name: string; start: number }) => ({ name, start })),
    );
    expect(JSON.parse(lines[0]!).line).toMatchObject({ file: expect.stringContaining('blocklist.bpf.c'), pc: 0 });
    const unknown = await get(`/v1/programs/${program}/disassembly?program=main`);
    expect([unknown.status, unknown.body.code]).toEqual([422, 'unknown-entry']);
  });

  it.each([
    ['assembly of no type', '', ASSEMBLY, 400, 'bad-request', 'such as ?type=xdp'],
    ['an object of a type', '?type=xdp', OCTETS, 400, 'bad-request', 'text/x-bpf-assembly only'],
    ['a type that is none', '?type=xpd', ASSEMBLY, 400, 'validation', 'type'],
    ['assembly that is none', '?type=xdp', ASSEMBLY, 422, 'bad-object', 'in line 2'],
    ['classic BPF that is none', '', { 'content-type': 'text/x-bpf-classic' }, 422, 'bad-object', 'object'],
  ] as const)('are refused: %s', async (_, query, headers, status, code, words) => {
    const { post, data } = await open();
    const answer = await post(`/v1/programs${query}`, Buffer.from('r0 = 1\nr0 = please\n'), headers);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.body.detail).toContain(words);
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
      'network',
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
