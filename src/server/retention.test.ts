import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServer, type ServerOptions } from './server.ts';
import type { StartReplay } from './services.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const OBJECT = readFileSync(join(ROOT, 'programs/blocklist.bpf.o'));
const VLAN = readFileSync(join(ROOT, 'programs/vlan.bpf.o'));
const [DNS, ARP, MIXED] = ['dns', 'arp', 'mixed'].map((name) => readFileSync(join(ROOT, `pcaps/${name}.pcap`))) as [
  Buffer,
  Buffer,
  Buffer,
];

let app: FastifyInstance | undefined;
let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'bpfreplay-retention-'));
});
afterEach(async () => {
  await app?.close();
  app = undefined;
  rmSync(data, { recursive: true, force: true });
});

/** A daemon on the same data as the one before it. Retention looks when it starts. */
async function restart(options: Partial<ServerOptions> = {}): Promise<void> {
  await app?.close();
  app = await createServer({ data, drain: 0, ...options });
}

async function submit(kind: 'programs' | 'captures', payload: Buffer): Promise<string> {
  const headers = { 'content-type': 'application/octet-stream' };
  return (await app!.inject({ method: 'POST', url: `/v1/${kind}`, headers, payload })).json().id;
}

async function replay(program: string, capture: string, pipeline?: object[]): Promise<string> {
  const payload = { program, capture, packets: true, ...(pipeline && { pipeline }) };
  return (await app!.inject({ method: 'POST', url: '/v1/replays', payload })).json().id;
}

/** On a machine that is busy a round takes its time. */
const patience = { timeout: 30_000 };

const finished = (id: string) =>
  expect.poll(async () => (await app!.inject(`/v1/replays/${id}`)).json().finishedAt, patience).not.toBeNull();

async function held() {
  const ids = async (kind: string) =>
    (await app!.inject(`/v1/${kind}`)).json().items.map(({ id }: { id: string }) => id) as string[];
  const [programs, captures, replays] = await Promise.all(['programs', 'captures', 'replays'].map(ids));
  const files = ['programs', 'captures', 'replays'].flatMap((folder) => readdirSync(join(data, folder)));
  return { programs, captures, replays, files: files.length };
}

const removed = async () => (await app!.inject('/v1/stats')).json().data.removed;

/** Replays that do not end. */
const endless: StartReplay = () => {
  let end = () => {};
  const finished = new Promise<{ name: string; code: string; message: string }>((resolve) => {
    end = () => resolve({ name: 'Cancelled', code: 'cancelled', message: 'ended' });
  });
  return { finished, cancel: async () => end() } as ReturnType<StartReplay>;
};

describe('retention', () => {
  it('by age removes replays with what they recorded, then what no replay names any longer', async () => {
    await restart();
    const [program, capture] = [await submit('programs', OBJECT), await submit('captures', DNS)];
    const id = await replay(program, capture);
    await finished(id);
    await restart({ keepAge: 3600 });
    expect(await held()).toMatchObject({ programs: [program], captures: [capture], replays: [id] });
    await restart({ keepAge: 0 });
    await expect.poll(held, patience).toEqual({ programs: [], captures: [], replays: [], files: 0 });
    await expect.poll(removed, patience).toMatchObject({
      replay: { files: 1, bytes: expect.any(Number) },
      capture: { files: 1, bytes: DNS.length },
      program: { files: 1, bytes: OBJECT.length },
    });
    expect((await app!.inject('/metrics')).body).toContain('bpfreplay_retention_removed_total{kind="capture"} 1\n');
  });

  it('never takes what a replay uses that runs or waits', async () => {
    await restart({ startReplay: endless });
    const [program, used, unused] = [
      await submit('programs', OBJECT),
      await submit('captures', DNS),
      await submit('captures', ARP),
    ];
    const replays = [await replay(program, used), await replay(program, used)];
    await restart({ startReplay: endless, keepAge: 0, keepSize: 0 });
    await expect.poll(held, patience).toEqual({ programs: [program], captures: [used], replays, files: 2 });
    await expect.poll(removed, patience).toEqual({ capture: { files: 1, bytes: ARP.length } });
    expect(unused).not.toBe(used);
  });

  it('never takes what a template or a stream names, wherever in its pipeline', async () => {
    await restart();
    const [first, behind] = [await submit('programs', OBJECT), await submit('programs', VLAN)];
    const pipeline = [{ hook: 'tc-ingress', program: behind, entry: 'tc_vlan' }];
    const put = await app!.inject({ method: 'PUT', url: '/v1/templates/both', payload: { program: first, pipeline } });
    expect(put.statusCode).toBe(201);
    await submit('captures', DNS);
    await restart({ keepAge: 0 });
    await expect.poll(held, patience).toMatchObject({ captures: [] });
    expect((await held()).programs).toEqual([first, behind]);
  });

  it('takes a program that a pipeline used for as young as one that was replayed alone', async () => {
    await restart();
    const [behind, first] = [await submit('programs', VLAN), await submit('programs', OBJECT)];
    const [idle, used] = [await submit('captures', ARP), await submit('captures', DNS)];
    const stage = { hook: 'tc-ingress', program: behind, entry: 'tc_vlan' };
    await finished(await replay(first, used, [stage, stage]));
    const { files } = (await app!.inject('/v1/stats')).json().data as { files: Record<string, { bytes: number }> };
    const bytes = Object.values(files).reduce((sum, kind) => sum + kind.bytes, 0);
    await restart({ keepSize: bytes - 1 });
    await expect.poll(removed, patience).toEqual({ capture: { files: 1, bytes: ARP.length } });
    expect(await held()).toMatchObject({ programs: [behind, first], captures: [used] });
    expect(idle).not.toBe(used);
  });

  it('by size removes what was longest of no use, and no more than it must', async () => {
    await restart();
    const program = await submit('programs', OBJECT);
    const first = await submit('captures', DNS);
    await submit('captures', ARP);
    const third = await submit('captures', MIXED);
    // The first one is used once more, and so the second one is the oldest. Its bytes are more than must go.
    await finished(await replay(program, first));
    const { files } = (await app!.inject('/v1/stats')).json().data as { files: Record<string, { bytes: number }> };
    const bytes = Object.values(files).reduce((sum, kind) => sum + kind.bytes, 0);
    await restart({ keepSize: bytes - 1 });
    await expect.poll(held, patience).toMatchObject({ captures: [first, third] });
    expect(await held()).toMatchObject({ programs: [program], replays: [expect.any(String)] });
    await expect.poll(removed, patience).toEqual({ capture: { files: 1, bytes: ARP.length } });
  });
});
