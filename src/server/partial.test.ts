import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ReplayFailure } from '../index.ts';
import { emptyTally } from '../replay/tally.ts';
import type { StartReplay } from './services.ts';
import { openDaemon } from './testing.ts';

/** Takes a fraction of a millisecond, or some, for each packet. */
const SLOW = 'r1 = 0\nloop: r1 += 1\nif r1 != 100000 goto loop\nr0 = 2\nexit';
const data = mkdtempSync(join(tmpdir(), 'bpfreplay-partial-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));
const patience = { timeout: 30_000 };

// Where the processors are not free it may not come to the next packet in time; another try may find them so.
it.each(['interpreter', 'jit'])('a cancelled replay keeps what was decided (%s)', { retry: 2 }, async (engine) => {
  let id: string;
  let record: { tally: { packets: number } };
  {
    await using one = await openDaemon({ data });
    const request = { program: await one.assembly(SLOW), capture: await one.generated(80_000), engine };
    id = await one.start({ ...request, packets: true, maps: true, edits: [] });
    const packets = async () => (await one.get(`/v1/replays/${id}`)).body.progress.packets;
    await expect.poll(packets, patience).toBeGreaterThan(0);
    const { body } = await one.send('DELETE', `/v1/replays/${id}`);
    expect(body).toMatchObject({ state: 'cancelled', partial: true, stopped: null, error: null });
    expect(body.tally.packets).toBeGreaterThan(0);
    expect(body.progress.packets).toBe(body.tally.packets);
    const lines: string = (await one.get(`/v1/replays/${id}/packets.ndjson`)).body;
    expect(lines.split('\n').length - 1).toBe(body.tally.packets);
    expect((await one.get(`/v1/replays/${id}/maps.json`)).status).toBe(404);
    // The same as one that ends there by itself.
    const whole = await one.finished(await one.start({ ...request, stop: { packets: body.tally.packets } }));
    expect(whole).toMatchObject({ state: 'succeeded', partial: false });
    expect(body.tally).toEqual(whole.tally);
    record = body;
  }
  await using next = await openDaemon({ data });
  expect((await next.get(`/v1/replays/${id}`)).body).toEqual(record);
});

it('one that fails on its way does, too', async () => {
  await using one = await openDaemon({ maxRecording: 1e6 });
  const request = { program: await one.program('blocklist'), capture: await one.generated(80_000) };
  const { id, ...failed } = await one.finished(await one.start({ ...request, packets: true }));
  expect(failed).toMatchObject({ state: 'failed', partial: true, error: { code: 'recording-too-long' } });
  expect(failed.tally.packets).toBeGreaterThan(10);
  expect(failed.tally.packets).toBeLessThan(80_000);
  expect((await one.get('/metrics')).body).toMatch(/bpfreplay_packets_total\{program="blocklist",.*\} \d+\n/);
});

it('one that could decide nothing has no tally', async () => {
  await using one = await openDaemon();
  const request = { program: await one.program('blocklist'), capture: await one.capture('mixed.pcap') };
  const failed = await one.finished(await one.start({ ...request, mapInit: { none: [] } }));
  expect(failed).toMatchObject({ state: 'failed', partial: false, tally: null });
});

describe('one that hangs in a packet keeps what was told last', () => {
  const tally = { ...emptyTally('p', 'xdp'), packets: 5, skipped: { 'link type': 2 } };
  const kept = { partial: true, tally, progress: { packets: 7, bytesRead: 100 } };
  const startReplay: StartReplay = (_, onProgress = () => {}) => {
    const { promise: finished, resolve } = Promise.withResolvers<ReplayFailure>();
    queueMicrotask(() => onProgress({ packets: 6, bytesRead: 100, bytesTotal: 1000, tally }));
    const cancel = async () => resolve({ name: 'Cancelled', code: 'cancelled', message: 'ended' });
    return { finished, cancel, ask: async () => ({ error: { name: 'Ended', code: 'ended', message: '' } }) };
  };
  const hanging = async (one: Awaited<ReturnType<typeof openDaemon>>) =>
    one.start({ program: await one.program('blocklist'), capture: await one.capture('mixed.pcap') });

  it('and is cancelled', async () => {
    await using one = await openDaemon({ startReplay });
    const id = await hanging(one);
    await expect.poll(async () => (await one.get(`/v1/replays/${id}`)).body.progress.packets, patience).toBe(6);
    expect((await one.send('DELETE', `/v1/replays/${id}`)).body).toMatchObject({ state: 'cancelled', ...kept });
  });

  it('and takes too long', async () => {
    await using one = await openDaemon({ startReplay, maxSeconds: 0.05 });
    const failed = await one.finished(await hanging(one));
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'too-long' }, ...kept });
  });
});
