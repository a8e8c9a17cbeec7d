import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runReplay } from '../../src/index.ts';
import { generateCapture } from '../../tools/generate-capture.ts';
import { Bench, BLOCKLIST, type Body, bytesOf, OBJECT, pcap, ROOT } from './stream-bench.ts';

/** What a replay of the capture as a file says. */
function tallyOf(name: string) {
  const { tally, maps } = runReplay({
    object: OBJECT,
    capture: pcap(name),
    options: { program: 'flowstats' },
    maps: true,
  });
  const { captureError: _, ...rest } = tally;
  return { tally: rest, maps };
}

const folder = mkdtempSync(join(tmpdir(), 'bpfreplay-streams-'));
const FIFO = join(folder, 'sensor.pcap');
/** The first of some: below those that the kernel hands out, and others than those of tests that run beside these. */
const PORT = 16_384 + 16 * (process.pid % 1_000);
let bench: Bench;

beforeAll(async () => {
  execFileSync('mkfifo', [FIFO]);
  bench = await Bench.start(join(folder, 'data'), [
    '--stream-input',
    `sensor=${FIFO}`,
    '--stream-ports',
    `${PORT}-${PORT + 9}`,
  ]);
});
afterAll(async () => {
  await bench?.daemon.end('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

describe('a stream that is sent captures', () => {
  it.each(['http.pcap', 'big-endian-ns.pcap', 'two-interfaces.pcapng', 'two-sections.pcapng'])(
    'tallies %s as a replay does, in pieces of any size',
    async (name) => {
      const id = await bench.stream({ kind: 'http' });
      const { body, answer } = bench.upload(id);
      const bytes = bytesOf(name);
      for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 4093) {
        body.write(bytes.subarray(at, at + size));
        if (at % 5 === 0) await sleep(1);
      }
      body.end();
      const { tally, maps } = tallyOf(name);
      expect(await answer).toEqual({ status: 200, body: { frames: expect.any(Number), bytes: bytes.length } });
      expect((await bench.read(id)).tally).toEqual(tally);
      expect(await bench.maps(id)).toEqual(maps);
      const { windows } = (await bench.call('GET', `/v1/streams/${id}/windows`)).body;
      expect(windows.reduce((sum: number, { packets }: { packets: number }) => sum + packets, 0)).toBe(tally.packets);
      expect(await bench.remove(id)).toMatchObject({ state: 'stopped', tally });
    },
  );

  it('shows what came while more is to come, and takes one capture after the other', async () => {
    const id = await bench.stream({ kind: 'http' });
    const { body, answer } = bench.upload(id);
    body.write(bytesOf('dns.pcap').subarray(0, 5000));
    expect(await bench.until(id, ({ frames }) => frames > 0)).toMatchObject({
      frames: 44,
      tally: { packets: 44 },
      feed: { connected: true, from: '127.0.0.1', connections: 1, bytes: 5000 },
    });
    const other = bench.upload(id);
    other.body.end(bytesOf('dns.pcap'));
    expect(await other.answer).toMatchObject({ status: 409, body: { code: 'stream-busy' } });
    body.end(bytesOf('dns.pcap').subarray(5000));
    expect((await answer).status).toBe(200);
    expect(await bench.read(id)).toMatchObject({ frames: 68, feed: { connected: false, connections: 1, failed: 0 } });
    await bench.remove(id);
  });

  it('tells what happens as events, to its end', async () => {
    const id = await bench.stream({ kind: 'http' });
    const response = await fetch(`${bench.daemon.url}/v1/streams/${id}/events`);
    const told = response.text();
    const { body, answer } = bench.upload(id);
    body.end(bytesOf('dns.pcap'));
    await answer;
    const { body: stopped } = await bench.call('DELETE', `/v1/streams/${id}`);
    const events = [...(await told).matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, name, data]) => ({
      name,
      data: JSON.parse(data!),
    }));
    const last = (wanted: string) => events.findLast(({ name }) => name === wanted)!.data;
    const { request: _, ...record } = stopped;
    expect(events.at(-1)).toEqual({ name: 'end', data: record });
    expect(last('feed')).toMatchObject({ connected: false, connections: 1, bytes: bytesOf('dns.pcap').length });
    expect(last('tally')).toMatchObject({ frames: 68, packets: 68 });
    expect(last('windows').windows.at(-1).verdicts).toHaveProperty('XDP_PASS');
    const again = { headers: { 'last-event-id': 'end' } };
    expect((await fetch(`${bench.daemon.url}/v1/streams/${id}/events`, again)).status).toBe(204);
    expect((await bench.call('DELETE', `/v1/streams/${id}`)).status).toBe(204);
  });

  it('ends a capture that is cut or no capture, tells why, and goes on', async () => {
    const id = await bench.stream({ kind: 'http' });
    const cut = bench.upload(id);
    cut.body.write(bytesOf('dns.pcap').subarray(0, 5000));
    await bench.until(id, ({ frames }) => frames === 44);
    cut.body.destroy();
    const { feed } = await bench.until(id, ({ feed }) => !feed.connected);
    expect(feed).toMatchObject({ failed: 1, lastError: { code: 'truncated', from: '127.0.0.1' } });

    const garbage = bench.upload(id);
    garbage.body.write('GET / HTTP/1.1\r\n');
    expect(await garbage.answer).toMatchObject({
      status: 422,
      body: { code: 'bad-capture', fault: { code: 'unknown-format', offset: 0 } },
    });
    const empty = bench.upload(id);
    empty.body.setHeader('transfer-encoding', 'chunked').end();
    expect(await empty.answer).toMatchObject({ status: 422, body: { code: 'bad-capture' } });

    const good = bench.upload(id);
    good.body.end(bytesOf('two-sections.pcapng'));
    expect(await good.answer).toMatchObject({ status: 200, body: { frames: 56 } });
    expect(await bench.remove(id)).toMatchObject({ frames: 100, feed: { connections: 4, failed: 3 } });
  });

  it('takes what tcpdump writes and curl sends, compressed too', async ({ skip }) => {
    const id = await bench.stream({ kind: 'http' });
    const url = `${bench.daemon.url}/v1/streams/${id}/capture`;
    const pipe = (command: string) => execFileSync('bash', ['-c', command], { encoding: 'utf8' });
    try {
      pipe('command -v tcpdump && command -v curl && command -v gzip');
    } catch {
      skip('tcpdump, curl or gzip is not installed');
    }
    expect(pipe(`tcpdump -U -r ${pcap('http.pcap')} -w - 2>/dev/null | curl -s -T - ${url}`)).toMatch(
      /^{"frames":220,/,
    );
    expect(pipe(`gzip -c ${pcap('dns.pcap')} | curl -s -H 'content-encoding: gzip' -T - ${url}`)).toMatch(
      /^{"frames":68,/,
    );
    await bench.remove(id);
  });

  it('that was stopped takes nothing more, and tells what it had', async () => {
    const id = await bench.stream({ kind: 'http' });
    const { body, answer } = bench.upload(id);
    body.write(bytesOf('dns.pcap').subarray(0, 5000));
    await bench.until(id, ({ frames }) => frames === 44);
    expect((await bench.call('DELETE', `/v1/programs/${bench.program}`)).body).toMatchObject({ code: 'in-use' });
    expect((await bench.call('DELETE', `/v1/streams/${id}`)).body).toMatchObject({ state: 'stopped', frames: 44 });
    expect(await answer).toMatchObject({ status: 409, body: { code: 'stream-ended' } });
    for (const path of ['maps/flows/entries', 'windows']) {
      expect((await bench.call('GET', `/v1/streams/${id}/${path}`)).body).toMatchObject({ code: 'stream-ended' });
    }
    expect(await bench.read(id)).toMatchObject({ state: 'stopped', frames: 44, stoppedAt: expect.any(String) });
    expect((await bench.call('DELETE', `/v1/streams/${id}`)).status).toBe(204);
    expect((await bench.read(id)).code).toBe('stream-not-found');
  });

  it('does as its maps say from the moment on in which they are edited', async () => {
    const { id: program } = (await bench.call('POST', '/v1/programs', readFileSync(BLOCKLIST))).body;
    const { body: stream } = await bench.call('POST', '/v1/streams', { program, source: { kind: 'http' } });
    const entry = `/v1/streams/${stream.id}/maps/blocked_ports/entries/00351100`;
    const verdicts = async () => {
      const { body, answer } = bench.upload(stream.id);
      body.end(bytesOf('dns.pcap'));
      await answer;
      return (await bench.read(stream.id)).tally.verdicts;
    };
    const passed = { XDP_PASS: { packets: 68, bytes: 8791 } };
    expect(await verdicts()).toEqual(passed);
    const edited = await bench.call('PUT', entry, { value: '04000000' });
    expect(edited.body).toMatchObject({ map: 'blocked_ports', key: '00351100', value: '04000000', before: 68 });
    expect((await bench.call('GET', entry)).body).toMatchObject({ value: '04000000', decoded: { value: 4 } });
    const { XDP_DROP: dropped } = await verdicts();
    expect(dropped.packets).toBeGreaterThan(0);
    expect((await bench.call('DELETE', entry)).body).toMatchObject({ value: null, before: 136 });
    const { XDP_DROP: still, XDP_PASS: all } = await verdicts();
    expect([still, all.packets]).toEqual([dropped, 3 * 68 - dropped.packets]);
    for (const [path, code] of [
      [entry, 'entry-not-found'],
      [`/v1/streams/${stream.id}/maps/nope/entries`, 'map-not-found'],
    ] as const) {
      expect((await bench.call('GET', path)).body).toMatchObject({ code });
    }
    await bench.remove(stream.id);
  });

  it('runs a pipeline as a replay does, and keeps its programs from being deleted', async () => {
    const submit = async (name: string) =>
      (await bench.call('POST', '/v1/programs', readFileSync(join(ROOT, `programs/${name}.bpf.o`)))).body.id as string;
    const [program, behind] = [await submit('blocklist'), await submit('vlan')];
    const pipeline = [{ hook: 'tc-ingress', program: behind, entry: 'tc_vlan' }];
    const request = { program, pipeline, source: { kind: 'http' } };
    const { status, body: stream } = await bench.call('POST', '/v1/streams', request);
    expect([status, stream.tally.stages.length]).toEqual([201, 2]);
    for (const name of ['vlan.pcap', 'mixed.pcap']) {
      const { body, answer } = bench.upload(stream.id);
      body.end(bytesOf(name));
      expect((await answer).status).toBe(200);
    }
    const expected = ['vlan.pcap', 'mixed.pcap'].map((name) => {
      const stages = [{ object: join(ROOT, 'programs/vlan.bpf.o'), program: 'tc_vlan', hook: 'tc-ingress' }] as const;
      return runReplay({ object: BLOCKLIST, stages, capture: pcap(name), options: {}, maps: false }).tally;
    });
    const sums = (of: (tally: Body) => number) => expected.reduce((sum, tally) => sum + of(tally), 0);
    const { tally } = await bench.read(stream.id);
    expect(tally.type).toBe('pipeline');
    expect(tally.verdicts.stack.packets).toBe(sums(({ verdicts }) => verdicts.stack.packets));
    for (const stage of [0, 1]) expect(tally.stages[stage].packets).toBe(sums(({ stages }) => stages[stage].packets));
    const { windows } = (await bench.call('GET', `/v1/streams/${stream.id}/windows`)).body;
    const inWindows = windows.reduce((sum: number, { stages }: Body) => sum + stages[1].packets, 0);
    expect(inWindows).toBe(tally.stages[1].packets);
    const { items } = (await bench.call('GET', `/v1/streams/${stream.id}/maps`)).body;
    expect(items.map(({ name }: Body) => name)).toContain('blocked_ports');

    for (const id of [program, behind]) {
      expect((await bench.call('DELETE', `/v1/programs/${id}`)).body).toMatchObject({ code: 'in-use' });
    }
    await bench.remove(stream.id);
    expect((await bench.call('DELETE', `/v1/programs/${behind}`)).status).toBe(204);
    expect((await bench.call('POST', '/v1/streams', request)).body).toMatchObject({ code: 'unknown-program' });
    const misplaced = { ...request, pipeline: [{ hook: 'tc-egress', program }] };
    expect((await bench.call('POST', '/v1/streams', misplaced)).body).toMatchObject({
      code: 'bad-request',
      detail: 'tc-egress takes programs of type sched_cls or sched_act; blocklist is xdp',
    });
  });

  it('tells windows of capture time, as many as it is to keep', async () => {
    const id = await bench.stream({ kind: 'http' }, { window: { clock: 'capture', keep: 3, seconds: 2 } });
    const { body, answer } = bench.upload(id);
    body.end(bytesOf('mixed.pcap'));
    await answer;
    const { windows, ...options } = (await bench.call('GET', `/v1/streams/${id}/windows`)).body;
    expect(options).toEqual({ seconds: 2, clock: 'capture' });
    const last = Math.floor(Number(BigInt((await bench.read(id)).tally.lastTime) / 1_000_000_000n) / 2) * 2;
    expect(windows.map(({ start }: { start: string }) => Date.parse(start) / 1000)).toEqual([last - 4, last - 2, last]);
    await bench.remove(id);
  });
});

/** PCAP-over-IP: nothing but the capture. */
async function send(port: number, bytes: Uint8Array): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  await new Promise((resolve) => socket.write(bytes, resolve));
  return socket;
}

/** Resolves when the other end has closed it, or reset it. */
function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.resume().once('close', resolve));
}

describe('a stream that listens', () => {
  it('takes senders one after the other, and none that sends no capture', async () => {
    const id = await bench.stream({ kind: 'listen', port: PORT });
    const first = await send(PORT, bytesOf('dns.pcap').subarray(0, 5000));
    await bench.until(id, ({ frames }) => frames === 44);
    const second = await send(PORT, bytesOf('dns.pcap'));
    await closed(second);
    expect((await bench.read(id)).feed).toMatchObject({ connected: true, refused: 1, connections: 1 });
    first.end(bytesOf('dns.pcap').subarray(5000));
    await bench.until(id, ({ feed }) => !feed.connected);
    expect((await bench.read(id)).tally).toEqual(tallyOf('dns.pcap').tally);

    // Ended by the daemon as soon as it is known to be none, not when the sender is done.
    await closed(await send(PORT, Buffer.from('SSH-2.0-OpenSSH_9.2\r\n')));
    const { feed } = await bench.until(id, ({ feed }) => feed.failed === 1);
    expect(feed.lastError).toMatchObject({ code: 'unknown-format', from: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });

    (await send(PORT, bytesOf('two-sections.pcapng'))).end();
    await bench.until(id, ({ frames }) => frames === 68 + 56);
    (await send(PORT, bytesOf('dns.pcap').subarray(0, 5000))).resetAndDestroy();
    await bench.until(id, ({ feed }) => feed.failed === 2);
    expect(await bench.remove(id)).toMatchObject({ feed: { connections: 4, failed: 2, refused: 1 } });

    // What streams counted stays counted when they are gone.
    const { streams } = (await bench.call('GET', '/v1/stats')).body;
    expect(streams.refused).toBe(1);
    const ran = streams.verdicts.reduce((sum: number, { packets }: { packets: number }) => sum + packets, 0);
    expect(ran).toBe(streams.packets);
    const [passed] = streams.verdicts;
    expect(passed).toMatchObject({ program: 'flowstats', type: 'xdp', verdict: 'XDP_PASS' });
    const figures = (await bench.call('GET', '/metrics')).body as string;
    const labels = '{program="flowstats",program_type="xdp",verdict="XDP_PASS"}';
    expect(figures).toContain(`bpfreplay_stream_packets_total${labels} ${passed.packets}\n`);
    expect(figures).toContain(`bpfreplay_stream_connections_total ${streams.connections}\n`);
    expect(figures).not.toContain(id);
  });

  it('is refused a port that is taken, or not to be had', async () => {
    const id = await bench.stream({ kind: 'listen', port: PORT + 1 });
    const request = (port: number) => ({
      program: bench.program,
      entry: 'flowstats',
      source: { kind: 'listen', port },
    });
    const taken = await bench.call('POST', '/v1/streams', request(PORT + 1));
    expect(taken).toMatchObject({ status: 409, body: { code: 'source-unavailable' } });
    expect(taken.body.detail).toMatch(/something listens there already/);
    expect(await bench.call('POST', '/v1/streams', request(22))).toMatchObject({
      status: 422,
      body: { code: 'unknown-source', option: '--stream-ports' },
    });
    for (const [source, detail] of [
      [{ kind: 'listen' }, 'body/source must have required properties port'],
      [{ kind: 'radio' }, 'body/source/kind must be one of http, listen, connect, input, interface'],
    ] as const) {
      const answer = await bench.call('POST', '/v1/streams', { ...request(1), source });
      expect(answer.body).toMatchObject({ code: 'validation', detail });
    }
    await bench.remove(id);
    const again = await bench.stream({ kind: 'listen', port: PORT + 1 });
    await bench.remove(again);
  });
});

/** Sends each one that connects the next of its captures; to those after, the beginning of one. */
async function startSender(captures: Uint8Array[], port = 0) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    const next = captures.shift();
    if (next === undefined) socket.write(bytesOf('dns.pcap').subarray(0, 24));
    else socket.end(next);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const end = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, end };
}

describe('a stream that connects', () => {
  it('comes back to a sender that ends, sends garbage, or goes away for a while', async () => {
    const garbage = new TextEncoder().encode('no capture at all');
    const sender = await startSender([bytesOf('dns.pcap'), garbage, bytesOf('two-sections.pcapng')]);
    const { port } = sender;
    const id = await bench.stream({ kind: 'connect', host: 'localhost', port });
    const { feed } = await bench.until(id, ({ feed, frames }) => frames === 124 && feed.connections === 4);
    expect(feed).toMatchObject({ connected: true, from: `localhost:${port}`, failed: 1 });

    await sender.end();
    await bench.until(id, ({ feed }) => feed.lastError.code === 'cannot-connect');
    const request = {
      program: bench.program,
      entry: 'flowstats',
      source: { kind: 'connect', host: '127.0.0.1', port },
    };
    expect(await bench.call('POST', '/v1/streams', request)).toMatchObject({
      status: 409,
      body: { code: 'source-unavailable', detail: expect.stringContaining('ECONNREFUSED') },
    });

    const back = await startSender([bytesOf('dns.pcap')], port);
    await bench.until(id, ({ frames }) => frames === 124 + 68);
    await bench.remove(id);
    await back.end();
  });
});

describe('a stream that reads a named pipe', () => {
  it('takes writers one after the other, and reads past what is no capture', async () => {
    const id = await bench.stream({ kind: 'input', input: 'sensor' });
    const write = (bytes: Uint8Array) => writeFileSync(FIFO, bytes);
    write(bytesOf('dns.pcap'));
    await bench.until(id, ({ frames, feed }) => frames === 68 && !feed.connected);
    execFileSync('bash', ['-c', `(head -c 100000 /dev/zero; sleep 0.2; head -c 100000 /dev/zero) > ${FIFO}`]);
    const { feed } = await bench.until(id, ({ feed }) => feed.failed === 1);
    expect(feed.lastError).toMatchObject({ code: 'unknown-format', from: 'sensor' });
    write(bytesOf('two-sections.pcapng'));
    const { tally } = await bench.until(id, ({ frames }) => frames === 124);
    expect(tally.packets).toBe(124);
    await bench.remove(id);
  });

  it('knows only the names that the daemon was given', async () => {
    for (const input of ['nope', FIFO, '../sensor', '__proto__']) {
      const request = { program: bench.program, entry: 'flowstats', source: { kind: 'input', input } };
      expect((await bench.call('POST', '/v1/streams', request)).body).toMatchObject({ code: 'unknown-source' });
    }
  });
});

describe('a daemon', () => {
  it('reads its standard input as a stream', async () => {
    const other = await Bench.start(join(folder, 'stdin'), ['--stream-input', 'stdin=-']);
    try {
      const id = await other.stream({ kind: 'input', input: 'stdin' });
      other.daemon.stdin.write(bytesOf('http.pcap').subarray(0, 20_000));
      await other.until(id, ({ frames }) => frames > 0);
      other.daemon.stdin.end(bytesOf('http.pcap').subarray(20_000));
      const { tally, feed } = await other.until(id, ({ feed }) => feed.lastError !== null);
      expect(tally).toEqual(tallyOf('http.pcap').tally);
      expect(feed).toMatchObject({ connected: false, failed: 0, lastError: { code: 'input-ended' } });
    } finally {
      await other.daemon.end('SIGKILL');
    }
  });

  it('that was killed runs its streams again, counting from zero; those that were stopped stay so', async () => {
    const data = join(folder, 'again');
    const args = ['--stream-ports', `${PORT + 10}`, '--streams', '2'];
    let other = await Bench.start(data, args);
    try {
      const id = await other.stream({ kind: 'listen', port: PORT + 10 });
      const stopped = await other.stream({ kind: 'http' });
      const third = { program: other.program, entry: 'flowstats', source: { kind: 'http' } };
      expect((await other.call('POST', '/v1/streams', third)).body).toMatchObject({ code: 'too-many-requests' });
      const { body, answer } = other.upload(stopped);
      body.end(bytesOf('dns.pcap'));
      await answer;
      await other.call('DELETE', `/v1/streams/${stopped}`);
      (await send(PORT + 10, bytesOf('dns.pcap'))).end();
      const before = await other.until(id, ({ frames }) => frames === 68);
      await other.daemon.end('SIGKILL');

      other = await Bench.start(data, args);
      const after = await other.until(id, ({ tally }) => tally !== null);
      expect(after).toMatchObject({ state: 'running', frames: 0, tally: { packets: 0 }, feed: { connections: 0 } });
      expect(after.createdAt).toBe(before.createdAt);
      expect(Date.parse(after.startedAt)).toBeGreaterThan(Date.parse(before.startedAt));
      expect(await other.read(stopped)).toMatchObject({ state: 'stopped', frames: 68, tally: { packets: 68 } });
      (await send(PORT + 10, bytesOf('two-sections.pcapng'))).end();
      await other.until(id, ({ frames }) => frames === 56);
      expect(await other.daemon.end('SIGTERM')).toBe(0);
    } finally {
      await other.daemon.end('SIGKILL');
    }
  });

  it('lets a source wait for a program that is slow, in bounded memory, and stops it at once', async () => {
    const pieces: Uint8Array[] = [];
    const options = { packets: 150_000, size: 512, seed: 1, flows: 10, profile: 'mixed', format: 'pcap' } as const;
    generateCapture(options, (piece) => pieces.push(piece));
    const capture = Buffer.concat(pieces);
    const loop = 'r1 = 20000\nl: r1 -= 1\nif r1 != 0 goto l\nr0 = 2\nexit';
    const { id: program } = (await bench.call('POST', '/v1/programs?type=xdp', loop)).body;
    const request = { program, engine: 'interpreter', source: { kind: 'listen', port: PORT + 2 } };
    const { body } = await bench.call('POST', '/v1/streams', request);
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${bench.daemon.pid}/status`, 'utf8'))![1]) * 1024;
    const before = rss();
    const socket = connect(PORT + 2, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(capture);
    await bench.until(body.id, ({ frames }) => frames > 0);
    // As long as reading all of it would take.
    await sleep(1000);
    const seen = await bench.read(body.id);
    // What the kernel holds for both ends of the connection is no memory of the daemon.
    expect(seen.feed.bytes).toBeLessThan(8 * 2 ** 20);
    expect(capture.length).toBeGreaterThan(70 * 2 ** 20);
    expect(rss() - before).toBeLessThan(32 * 2 ** 20);
    const start = performance.now();
    await bench.remove(body.id);
    expect(performance.now() - start).toBeLessThan(20_000);
    socket.destroy();
  });
});
