import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runReplay } from '../../src/index.ts';
import { type Daemon, DaemonEnded, startDaemon } from '../../tools/daemon.ts';
import { generateCapture } from '../../tools/generate-capture.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OBJECT = join(ROOT, 'programs/flowstats.bpf.o');
const OPTIONS = { packets: 150_000, size: 64, seed: 1, flows: 100, profile: 'mixed', format: 'pcap' } as const;

let data: string;
let daemon: Daemon | undefined;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'bpfreplay-lasting-'));
});
afterEach(async () => {
  await daemon?.end('SIGKILL');
  daemon = undefined;
  rmSync(data, { recursive: true, force: true });
});

async function start(...args: string[]): Promise<void> {
  daemon = await startDaemon(data, args);
}

/** Why the daemon does not start. */
async function refusal(folder = data): Promise<string> {
  const error = await startDaemon(folder).then(
    () => expect.fail('the daemon started'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(DaemonEnded);
  expect((error as DaemonEnded).exitCode).toBe(2);
  return (error as DaemonEnded).log;
}

// biome-ignore lint/suspicious/noExplicitAny: the tests look into whatever comes
async function call(method: string, path: string, body?: Uint8Array | object): Promise<any> {
  const raw = body instanceof Uint8Array;
  const response = await fetch(daemon!.url + path, {
    method,
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': raw ? 'application/octet-stream' : 'application/json' } }),
  });
  const text = await response.text();
  return text.startsWith('{') && !path.endsWith('.ndjson') ? JSON.parse(text) : text;
}

function traffic(): Uint8Array {
  const pieces: Uint8Array[] = [];
  generateCapture(OPTIONS, (piece) => pieces.push(piece));
  return new Uint8Array(Buffer.concat(pieces));
}

async function submitAll() {
  const program = (await call('POST', '/v1/programs?name=flowstats', readFileSync(OBJECT))).id as string;
  const capture = (await call('POST', '/v1/captures?name=traffic', traffic())).id as string;
  return { program, capture, entry: 'flowstats', maps: true, packets: true };
}

async function until(id: string, isReached: (replay: { state: string; progress: { packets: number } }) => boolean) {
  for (;;) {
    const replay = await call('GET', `/v1/replays/${id}`);
    if (isReached(replay)) return replay;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const succeeded = (id: string) => until(id, ({ state }) => state !== 'queued' && state !== 'running');
const underWay = (id: string) => until(id, ({ progress }) => progress.packets > 0);

describe('after kill -9', () => {
  it('everything accepted is there, and what ran or waited is run, to the same end', async () => {
    await start();
    const request = await submitAll();
    const first = (await call('POST', '/v1/replays', request)).id;
    const finished = await succeeded(first);
    const packets = await call('GET', `/v1/replays/${first}/packets.ndjson`);
    const [running, waiting] = [await call('POST', '/v1/replays', request), await call('POST', '/v1/replays', request)];
    const before = [await call('GET', '/v1/programs'), await call('GET', '/v1/captures')];
    await underWay(running.id);
    // It is told of before it is written.
    const recorded = () => statSync(join(data, 'replays', `${running.id}.packets.ndjson`)).size;
    await expect.poll(recorded, { timeout: 30_000, interval: 10 }).toBeGreaterThan(0);
    writeFileSync(join(data, 'captures', `${'a'.repeat(64)}.cap`), 'of an upload that was not answered');
    await daemon!.end('SIGKILL');

    await start();
    expect([await call('GET', '/v1/programs'), await call('GET', '/v1/captures')]).toEqual(before);
    expect(await call('GET', `/v1/replays/${first}`)).toEqual(finished);
    for (const { id } of [running, waiting]) {
      const again = await succeeded(id);
      expect(again).toMatchObject({ state: 'succeeded', tally: finished.tally, error: null });
      expect(await call('GET', `/v1/replays/${id}/packets.ndjson`)).toBe(packets);
      expect(await call('GET', `/v1/replays/${id}/maps.json`)).toEqual(
        await call('GET', `/v1/replays/${first}/maps.json`),
      );
    }
    expect(readdirSync(join(data, 'captures'))).toEqual([`${request.capture}.cap`]);
    const { tally } = runReplay({
      object: OBJECT,
      capture: join(data, 'captures', `${request.capture}.cap`),
      options: { program: 'flowstats' },
      maps: false,
    });
    expect(finished.tally).toEqual(tally);
  });
});

describe('SIGTERM', () => {
  it('lets a replay end', async () => {
    await start('--drain', '60');
    const { id } = await call('POST', '/v1/replays', await submitAll());
    await underWay(id);
    expect(await daemon!.end('SIGTERM')).toBe(0);
    await start();
    expect(await call('GET', `/v1/replays/${id}`)).toMatchObject({ state: 'succeeded' });
  });

  it('ends one that takes too long, which is run again', async () => {
    await start('--drain', '0');
    const { id } = await call('POST', '/v1/replays', await submitAll());
    await underWay(id);
    expect(await daemon!.end('SIGTERM')).toBe(0);
    await start();
    expect(await succeeded(id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a data directory', () => {
  it('that another daemon works in is left alone, and the other one named', async () => {
    await start();
    const message = await refusal();
    expect(message).toMatch(new RegExp(`is in use by the daemon with pid ${daemon!.pid} on \\S+, started 20`));
    expect((await call('GET', '/readyz')).status).toBe('ok');
  });

  it.each([
    ['a folder that cannot be made', '/proc/nope/data', /\/proc\/nope\/data cannot be made: ENOENT/],
    ['a file', OBJECT, /is not a folder/],
  ])('that is %s is refused', async (_, path, message) => {
    expect(await refusal(path)).toMatch(message);
  });

  it('whose database is damaged is refused, with what would help', async () => {
    await start();
    await call('POST', '/v1/programs', readFileSync(OBJECT));
    await daemon!.end('SIGTERM');
    const path = join(data, 'bpfreplay.sqlite');
    const whole = readFileSync(path);
    const bytes = Uint8Array.from(whole).fill(0xa5, 4096, 4096 + 64);
    writeFileSync(path, bytes);
    expect(await refusal()).toMatch(/bpfreplay\.sqlite is damaged .*Put a copy of it in its place/s);
    writeFileSync(path, 'no database at all'.repeat(1000));
    expect(await refusal()).toMatch(/is damaged/);
    writeFileSync(path, whole);
    await start();
    expect((await call('GET', '/v1/programs')).items).toHaveLength(1);
  });

  it('whose disk is full takes nothing more, loses nothing, and goes on when there is room', async ({ skip }) => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', data]).status === 0;
    skip(!mounted, 'only root can make a small disk');
    try {
      await start();
      const { maps: _, packets: __, ...request } = await submitAll();
      const running = await call('POST', '/v1/replays', request);
      const fill = openSync(join(data, 'fill'), 'w');
      expect(() => {
        for (const block = new Uint8Array(4096); ; ) writeSync(fill, block);
      }).toThrow('ENOSPC');
      const again = { ...request, mapInit: { none: [{ key: '00'.repeat(100_000), value: '' }] } };
      for (const answer of [await call('POST', '/v1/replays', again), await call('POST', '/v1/captures', traffic())]) {
        expect(answer).toMatchObject({ status: 507, code: 'no-space' });
      }
      // It may have been done before the disk was full. Otherwise its result waits.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(['running', 'succeeded']).toContain((await call('GET', `/v1/replays/${running.id}`)).state);
      closeSync(fill);
      rmSync(join(data, 'fill'));
      expect((await succeeded(running.id)).state).toBe('succeeded');
      expect((await call('GET', '/v1/replays')).items).toHaveLength(1);
      expect(readdirSync(join(data, 'uploads'))).toEqual([]);
    } finally {
      await daemon!.end('SIGKILL');
      spawnSync('umount', [data]);
    }
  });

  it('from which a file was removed fails the replay, and takes the file anew', async () => {
    await start();
    const request = await submitAll();
    rmSync(join(data, 'captures', `${request.capture}.cap`));
    const { state, error } = await succeeded((await call('POST', '/v1/replays', request)).id);
    expect({ state, error }).toMatchObject({ state: 'failed', error: { name: 'SystemError', code: 'ENOENT' } });
    expect(error.message).not.toContain(data);
    await call('POST', '/v1/captures', traffic());
    expect(await succeeded((await call('POST', '/v1/replays', request)).id)).toMatchObject({ state: 'succeeded' });
  });
});
