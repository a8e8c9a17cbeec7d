import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PacketRecord } from '../index.ts';
import { type Answer, openDaemon } from './testing.ts';

const BLOCKLIST = JSON.parse(readFileSync(new URL('../../programs/blocklist.maps.json', import.meta.url), 'utf8'));
const problem = ({ status, body }: Answer) => `${status} ${body.code}`;
const ndjson = (text: string) => text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));

let daemon: Awaited<ReturnType<typeof openDaemon>>;
let program: string;
let mixed: string;
beforeAll(async () => {
  daemon = await openDaemon();
  program = await daemon.program('blocklist');
  mixed = await daemon.capture('mixed.pcap');
});
afterAll(() => daemon[Symbol.asyncDispose]());

const run = async (request: object) => {
  const id = await daemon.start({ program, capture: mixed, mapInit: BLOCKLIST, ...request });
  return { id, ...(await daemon.finished(id)) };
};
const get = (url: string) => daemon.get(url);

describe('a replay', () => {
  it('is tallied by verdict, protocol, interface and size, with the rate of all of it', async () => {
    const { tally, progress, stopped } = await run({});
    const sum = (counts: Record<string, { packets: number }>) =>
      Object.values(counts).reduce((total, { packets }) => total + packets, 0);
    for (const counts of [tally.verdicts, tally.protocols, tally.interfaces]) expect(sum(counts)).toBe(tally.packets);
    expect(tally.protocols['IPv4 TCP'].packets).toBeGreaterThan(0);
    expect(sum(tally.sizes)).toBe(tally.packets);
    expect(progress.rate).toBeGreaterThan(0);
    expect(stopped).toBeNull();
  });

  it.each([
    [{ packets: 10 }, 'packets', 10],
    [{ bytes: 1000 }, 'bytes', null],
    [{ seconds: 1 }, 'seconds', null],
    [{ verdict: 'XDP_DROP' }, 'verdict', null],
    [{ packets: 10_000, error: true }, null, 233],
  ] as const)('ends as %j says', async (stop, reason, packets) => {
    const { state, stopped, tally, progress } = await run({ stop });
    expect([state, stopped]).toEqual(['succeeded', reason]);
    if (packets !== null) expect(progress.packets).toBe(packets);
    if (reason === 'verdict') expect(tally.verdicts.XDP_DROP.packets).toBe(1);
    if (reason === 'bytes') expect(tally.bytes).toBeGreaterThanOrEqual(1000);
    if (reason === 'seconds') expect(Number(tally.lastTime) - Number(tally.firstTime)).toBeLessThan(1e9);
  });

  it('answers the same whatever runs it', async () => {
    const [interpreter, jit] = [await run({ engine: 'interpreter' }), await run({ engine: 'jit' })];
    expect(jit.tally).toEqual(interpreter.tally);
  });

  it('has its verdicts over time, by capture and by wall', async () => {
    const { id, tally } = await run({});
    const { capture, wall } = (await get(`/v1/replays/${id}/series`)).body;
    for (const { seconds, windows } of [capture, wall]) {
      expect(seconds).toBe(1);
      const packets = windows.map((window: { packets: number }) => window.packets);
      expect(packets.reduce((sum: number, each: number) => sum + each, 0)).toBe(tally.packets);
    }
    expect(capture.windows[0].start).toBe(new Date(Math.floor(Number(tally.firstTime) / 1e9) * 1000).toISOString());
    expect(capture.windows.length).toBeGreaterThan(3);
  });

  it('does the edits of its request, and fails where a map does not take one', async () => {
    const edit = { before: 100, map: 'blocked_v4', key: '0000000000000000', value: '01000000' };
    const { tally, edits } = await run({ edits: [edit] });
    expect(edits).toBe(1);
    expect(tally.verdicts.XDP_DROP.packets).toBeGreaterThan(0);
    const { state, error } = await run({ edits: [{ ...edit, key: '20000000c0a80101', value: null }] });
    expect([state, error.code]).toEqual(['failed', 'map-update']);
    expect(error.message).toContain('ENOENT');
  });

  it('runs on the network that it is told, and fails where that is not one', async () => {
    const links = [{ ifindex: 4, ifname: 'eth0', mtu: 1500 }];
    const { request, tally } = await run({ network: { links }, ifindex: 4 });
    expect([request.network, tally.packets]).toEqual([{ links }, 233]);
    const { state, error } = await run({ network: { links, routes: [{ dst: 'default', dev: 'eth1' }] } });
    expect([state, error.code]).toEqual(['failed', 'bad-network']);
    expect(error.message).toContain('routes[0].dev is eth1, which is not among links');
  });

  it('says which values are allowed where one is not', async () => {
    expect((await get('/v1/replays?state=done')).body.detail).toMatch(
      /^querystring\/state must be equal to one of the allowed values: queued, running, succeeded, /,
    );
  });

  it('is found in lists by state, program and capture', async () => {
    const other = await daemon.capture('arp.pcap');
    const { id } = await run({ capture: other });
    const { items } = (await get(`/v1/replays?state=succeeded&program=${program}&capture=${other}`)).body;
    expect(items.map((item: { id: string }) => item.id)).toEqual([id]);
    expect((await get('/v1/replays?state=running')).body.items).toEqual([]);
  });
});

describe('packets of a replay', () => {
  let url: string;
  let all: PacketRecord[];
  beforeAll(async () => {
    const { id } = await run({ packets: true, output: true });
    url = `/v1/replays/${id}`;
    all = ndjson((await get(`${url}/packets.ndjson`)).body);
  });

  it('are all there, page by page', async () => {
    expect(all).toHaveLength(233);
    const paged: PacketRecord[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Answer = await get(`${url}/packets?limit=50${cursor === '' ? '' : `&cursor=${cursor}`}`);
      paged.push(...page.body.items);
      cursor = page.body.next;
    }
    expect(paged).toEqual(all);
  });

  it('are picked by verdict, protocol, index, and a packet filter, as JSON and as NDJSON', async () => {
    const filter = encodeURIComponent('6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 6,6 0 0 262144,6 0 0 0');
    const query = `verdict=XDP_DROP,XDP_ABORTED&protocol=TCP&first=5&last=200&filter=${filter}`;
    const page = (await get(`${url}/packets?${query}&limit=1000`)).body;
    expect(page.next).toBeNull();
    expect(page.items.length).toBeGreaterThan(0);
    for (const { index, verdict } of page.items) {
      expect(['XDP_DROP', 'XDP_ABORTED']).toContain(verdict);
      expect(index).toBeGreaterThanOrEqual(5);
      expect(index).toBeLessThanOrEqual(200);
    }
    expect(ndjson((await get(`${url}/packets.ndjson?${query}`)).body)).toEqual(page.items);
    const unchanged = (await get(`${url}/packets?changed=false&limit=1000`)).body.items;
    expect(unchanged).toHaveLength(233);
    expect((await get(`${url}/packets?error=true`)).body.items).toEqual([]);
    expect((await get(`${url}/packets?redirect=true`)).body.items).toEqual([]);
  });

  it('come as pcapng with their verdicts, which can be uploaded again', async () => {
    const answer = await daemon.app.inject(`${url}/packets.pcapng?verdict=XDP_DROP`);
    expect(answer.headers['content-type']).toBe('application/x-pcapng');
    const dropped = all.filter(({ verdict }) => verdict === 'XDP_DROP').length;
    const octets = { 'content-type': 'application/octet-stream' };
    const upload = await daemon.call({
      method: 'POST',
      url: '/v1/captures',
      headers: octets,
      payload: answer.rawPayload,
    });
    expect(upload.body.summary).toMatchObject({ format: 'pcapng', packets: dropped, error: null });
    const output = await daemon.app.inject(`${url}/output.pcapng`);
    expect(output.rawPayload.length).toBe(Number(output.headers['content-length']));
  });

  it.each([
    ['packets?filter=udp%20port%2053', '422 bad-filter', '`tcpdump -ddd udp port 53`), not the expression'],
    ['packets?cursor=7', '400 bad-request', 'cursor'],
    ['packets?first=-1', '400 validation', 'first'],
    ['packets?colour=red', '400 validation', 'colour'],
  ] as const)('are refused: %s', async (path, expected, words) => {
    const answer = await get(`${url}/${path}`);
    expect(problem(answer)).toBe(expected);
    expect(answer.body.detail).toContain(words);
  });

  it('of which nothing was recorded are not there', async () => {
    const { id } = await run({});
    for (const path of ['packets', 'packets.ndjson', 'packets.pcapng', 'output.pcapng', 'maps.json']) {
      expect(problem(await get(`/v1/replays/${id}/${path}`))).toBe('404 not-recorded');
    }
  });
});

describe('templates', () => {
  it('keep a request, and start it with one capture after the other', async () => {
    const request = { program, packets: true, stop: { packets: 7 } };
    const made = await daemon.send('PUT', '/v1/templates/short.run', request);
    expect([made.status, made.headers.location]).toEqual([201, '/v1/templates/short.run']);
    expect((await daemon.send('PUT', '/v1/templates/short.run', { ...request, seed: 3 })).status).toBe(200);
    expect((await get('/v1/templates')).body.items).toMatchObject([{ name: 'short.run', request: { seed: 3 } }]);
    for (const capture of [mixed, await daemon.capture('dns.pcap')]) {
      const { status, body } = await daemon.send('POST', '/v1/templates/short.run/replays', { capture });
      expect(status).toBe(202);
      expect(body.request).toEqual({ ...request, seed: 3, capture });
      expect((await daemon.finished(body.id)).stopped).toBe('packets');
    }
    expect((await daemon.send('DELETE', '/v1/templates/short.run')).status).toBe(204);
    expect(problem(await get('/v1/templates/short.run'))).toBe('404 template-not-found');
    expect(problem(await daemon.send('POST', '/v1/templates/short.run/replays', { capture: mixed }))).toBe(
      '404 template-not-found',
    );
  });

  it('are refused where they hold a capture, or have no name', async () => {
    expect(problem(await daemon.send('PUT', '/v1/templates/x', { program, capture: mixed }))).toBe('400 validation');
    expect(problem(await daemon.send('PUT', '/v1/templates/.x', { program }))).toBe('400 validation');
  });
});

interface Event {
  readonly id: string | undefined;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever comes
  readonly data: any;
}

function events(text: string): Event[] {
  return text.split('\n\n').flatMap((block) => {
    const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)));
    return fields.event === undefined ? [] : [{ id: fields.id, event: fields.event, data: JSON.parse(fields.data) }];
  });
}

describe('events of a replay', () => {
  it('tell its states, its progress and its end, and go on where they were cut off', async () => {
    const one = daemon;
    const request = { program, capture: await one.generated(60_000), engine: 'interpreter', packets: true };
    await one.start(request);
    const id = await one.start(request);
    const told = events((await listen(one, id)).body);
    expect(told.map(({ event }) => event).filter((event) => event === 'state' || event === 'end')).toEqual([
      'state',
      'state',
      'state',
      'end',
    ]);
    expect(told.filter(({ event }) => event === 'state').map(({ data }) => data.state)).toEqual([
      'queued',
      'running',
      'succeeded',
    ]);
    const progress = told.filter(({ event }) => event === 'progress').map(({ data }) => data.packets);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    const { request: _, ...result } = await one.finished(id);
    expect(told.at(-1)).toMatchObject({ id: 'end', data: result });

    const second = told.findIndex(({ data }) => data.state === 'running');
    const resumed = events((await listen(one, id, told[second]!.id)).body);
    expect(resumed.at(-1)).toEqual(told.at(-1));
    expect(resumed.filter(({ event }) => event === 'state').map(({ data }) => data.state)).toEqual(['succeeded']);
    // Nothing more is to be told.
    expect((await listen(one, id, 'end')).status).toBe(204);
    // Of another daemon, or before what is kept: how it stands.
    expect(events((await listen(one, id, 'abcd1234.7')).body).map(({ event }) => event)).toEqual(['state', 'end']);
  });

  it('end when the daemon closes', async () => {
    const one = await openDaemon({ workers: 0 });
    const id = await one.start({
      program: await one.program('vlan'),
      entry: 'xdp_vlan',
      capture: await one.capture('arp.pcap'),
    });
    const address = await one.app.listen({ host: '127.0.0.1', port: 0 });
    const { body } = await fetch(`${address}/v1/replays/${id}/events`);
    let told = '';
    let closed: Promise<void> | undefined;
    for await (const piece of body!.pipeThrough(new TextDecoderStream())) {
      told += piece;
      if (told.includes('event: progress')) closed ??= one[Symbol.asyncDispose]();
    }
    await closed;
    expect(events(told).map(({ event }) => event)).toEqual(['state', 'progress']);
  });

  const listen = (one: Awaited<ReturnType<typeof openDaemon>>, id: string, last?: string) =>
    one.call({
      method: 'GET',
      url: `/v1/replays/${id}/events`,
      headers: last === undefined ? {} : { 'last-event-id': last },
    });
});

// Where the processors are free it is some 50 ms; where they are not, another try may find them so.
it('a replay ends within a second of being cancelled, whatever its program does', { retry: 2 }, async () => {
  const one = daemon;
  // Runs for as long as its budget allows, which is hours.
  const endless = await one.assembly('r1 = 0\nloop: r1 += 1\nif r1 != 200 goto loop\nr0 = 2\nexit');
  const capture = await one.generated(80_000);
  for (const engine of ['interpreter', 'jit']) {
    const id = await one.start({ program: endless, capture, engine, packets: true });
    await expect.poll(async () => (await one.get(`/v1/replays/${id}`)).body.state, { timeout: 30_000 }).toBe('running');
    const begun = performance.now();
    const { body } = await one.send('DELETE', `/v1/replays/${id}`);
    expect(body.state).toBe('cancelled');
    expect(performance.now() - begun).toBeLessThan(1000);
  }
});

it('programs are found in lists by type, verdict and name', async () => {
  const refused = await daemon.assembly('r0 = r5\nexit', 'sched_cls');
  const found = async (query: string) =>
    (await get(`/v1/programs?${query}`)).body.items.map(({ id }: { id: string }) => id);
  expect(await found('type=sched_cls')).toEqual([refused]);
  expect(await found('verdict=reject')).toEqual([refused]);
  expect(await found('type=xdp&verdict=reject')).toEqual([]);
  expect(await found('type=xdp')).toContain(program);
  expect(await found('name=nothing')).toEqual([]);
});
