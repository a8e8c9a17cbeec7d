import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, openDaemon } from './testing.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const BLOCKLIST = JSON.parse(readFileSync(join(ROOT, 'programs/blocklist.maps.json'), 'utf8'));
/** A TCP or UDP port as `blocked_ports` has it, by its bytes. */
const KEY = '00000000';

const problem = ({ status, body }: Answer) => `${status} ${body.code}`;

/** For what a thread does: on a machine that is busy it takes its time. */
const patience = { timeout: 60_000 };

describe('maps of a replay that has ended', () => {
  let daemon: Awaited<ReturnType<typeof openDaemon>>;
  let id: string;
  beforeAll(async () => {
    daemon = await openDaemon();
    const [program, capture] = [await daemon.program('blocklist'), await daemon.capture('mixed.pcap')];
    id = await daemon.start({ program, capture, maps: true, mapInit: BLOCKLIST });
    await daemon.finished(id);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it('are listed with their types, read entry by entry, and changed', async () => {
    const { get, send } = daemon;
    const maps = `/v1/replays/${id}/maps`;
    const { items } = (await get(maps)).body;
    expect(items.at(-1)).toMatchObject({ name: 'rule_hits', type: 'percpu_array', keySize: 4 });
    expect(items.at(-1).value.members.map(({ name }: { name: string }) => name)).toEqual(['packets', 'bytes']);

    const before = (await get(`${maps}.json`)).body;
    const hits = `${maps}/rule_hits/entries`;
    const page = (await get(`${hits}?limit=2`)).body;
    expect(page.items[0]).toMatchObject({
      key: '00000000',
      decoded: { key: 0, value: [{ packets: 204, bytes: 39793 }] },
    });
    const rest = (await get(`${hits}?limit=1000&cursor=${page.next}`)).body;
    expect([...page.items, ...rest.items].map(({ key, value }) => ({ key, value }))).toEqual(
      before.maps.at(-1).entries,
    );
    expect(rest.next).toBeNull();

    const done = await send('PUT', `${hits}/4`, { decoded: [{ packets: 7, bytes: 420 }] });
    expect(done).toMatchObject({ status: 200, body: { map: 'rule_hits', key: '04000000', before: null } });
    expect((await get(`${hits}/04000000`)).body.decoded.value).toEqual([{ packets: 7, bytes: 420 }]);
    const after = (await get(`${maps}.json`)).body;
    expect(after.maps.at(-1).entries.find(({ key }: { key: string }) => key === '04000000').value).toEqual(
      done.body.value,
    );
    expect(after.maps.slice(0, 3).map(({ map }: { map: string }) => map)).toEqual([
      'blocked_v4',
      'blocked_v6',
      'blocked_ports',
    ]);
    expect((await get(`/v1/replays/${id}/edits`)).body.items).toEqual([done.body]);
  });

  it('keep their edits when the daemon starts again', async () => {
    const first = await openDaemon();
    const { data } = first;
    const [program, capture] = [await first.program('vlan'), await first.capture('vlan.pcap')];
    const id = await first.start({ program, entry: 'xdp_vlan', capture, maps: true });
    await first.finished(id);
    const entries = `/v1/replays/${id}/maps/vlans/entries`;
    expect((await first.send('PUT', `${entries}/0a00`, { value: '01000000' })).status).toBe(200);
    expect((await first.send('PUT', `${entries}/0b00`, { value: '02000000' })).status).toBe(200);
    expect((await first.send('DELETE', `${entries}/0a00`)).status).toBe(200);
    await first.app.close();
    await using second = await openDaemon({ data });
    expect((await second.get(entries)).body.items.map(({ key }: { key: string }) => key)).toEqual(['0b00']);
    expect(problem(await second.get(`${entries}/0a00`))).toBe('404 entry-not-found');
    expect((await second.get(`/v1/replays/${id}/edits`)).body.items).toHaveLength(3);
  });

  it.each([
    ['GET', 'maps/nothing/entries', undefined, '404 map-not-found', 'there are: blocked_v4'],
    ['GET', 'maps/blocked_ports/entries/0x0', undefined, '422 bad-map-entry', 'is to be hex, or JSON by its type'],
    ['PUT', `maps/blocked_ports/entries/${KEY}`, {}, '400 bad-request', 'either value'],
    ['PUT', `maps/blocked_ports/entries/${KEY}`, { value: '00' }, '422 bad-map-entry', 'has 1 bytes'],
    ['PUT', `maps/blocked_ports/entries/${KEY}`, { decoded: 'x' }, '422 bad-map-entry', 'whole number'],
    ['PUT', `maps/blocked_ports/entries/${KEY}`, { value: '00000000', mode: 'exist' }, '409 map-refuses', 'ENOENT'],
    ['DELETE', 'maps/rule_hits/entries/0', undefined, '409 map-refuses', 'EINVAL'],
  ] as const)('refuse: %s %s %j', async (method, path, payload, expected, words) => {
    const url = `/v1/replays/${id}/${path}`;
    const answer = await (method === 'GET' ? daemon.get(url) : daemon.send(method, url, payload));
    expect(problem(answer)).toBe(expected);
    expect(answer.body.detail).toContain(words);
  });

  it('are gone where nobody asked to keep them, and told by their file where the program is gone', async () => {
    const [program, capture] = [await daemon.program('vlan'), await daemon.capture('vlan.pcap')];
    const without = await daemon.start({ program, entry: 'xdp_vlan', capture });
    await daemon.finished(without);
    expect(problem(await daemon.get(`/v1/replays/${without}/maps/vlans/entries`))).toBe('404 not-recorded');
    const id = await daemon.start({ program, entry: 'xdp_vlan', capture, maps: true });
    await daemon.finished(id);
    await daemon.send('DELETE', `/v1/programs/${program}`);
    expect(problem(await daemon.get(`/v1/replays/${id}/maps/vlans/entries`))).toBe('404 program-not-found');
    expect((await daemon.get(`/v1/replays/${id}/maps.json`)).body.maps).toHaveLength(1);
  });
});

/** Blocks nothing at first; long enough to be met while it runs. */
const PACKETS = 200_000;

describe('maps of a replay that runs', () => {
  it('are read and edited between packets, and the edits repeat the run', async () => {
    await using daemon = await openDaemon({ workers: 2 });
    const { get, send } = daemon;
    const [program, capture] = [await daemon.program('blocklist'), await daemon.generated(PACKETS)];
    const request = { program, capture, engine: 'interpreter', maps: true, packets: true };
    const id = await daemon.start(request);
    await expect.poll(async () => (await get(`/v1/replays/${id}`)).body.state, patience).toBe('running');
    const entries = `/v1/replays/${id}/maps/blocked_v4/entries`;
    // All of IPv4 is blocked from here on, but for what is told before.
    const blocked = await send('PUT', `${entries}/0000000000000000`, { value: '01000000' });
    expect(blocked.status).toBe(200);
    expect(blocked.body.before).toBeLessThan(PACKETS);
    expect((await get(`${entries}/0000000000000000`)).body.value).toBe('01000000');
    expect((await get(`/v1/replays/${id}`)).body.state).toBe('running');
    const { tally, edits } = await daemon.finished(id);
    expect(edits).toBe(1);
    expect(tally.verdicts.XDP_DROP.packets).toBeGreaterThan(0);

    const { items } = (await get(`/v1/replays/${id}/edits`)).body;
    const again = await daemon.start({ ...request, edits: items });
    expect((await daemon.finished(again)).tally).toEqual(tally);
    const maps = async (of: string) => (await get(`/v1/replays/${of}/maps.json`)).body;
    expect(await maps(again)).toEqual(await maps(id));
    const unedited = await daemon.start(request);
    expect((await daemon.finished(unedited)).tally).not.toEqual(tally);
  });

  it('are edited again where they were, when the run is repeated after the daemon was gone', async () => {
    const first = await openDaemon();
    const { data } = first;
    const [program, capture] = [await first.program('blocklist'), await first.generated(PACKETS)];
    const id = await first.start({ program, capture, engine: 'interpreter' });
    await expect.poll(async () => (await first.get(`/v1/replays/${id}`)).body.state, patience).toBe('running');
    const key = '0000000000000000';
    const { before } = (
      await first.send('PUT', `/v1/replays/${id}/maps/blocked_v4/entries/${key}`, { value: '01000000' })
    ).body;
    await first.app.close();
    await using second = await openDaemon({ data });
    const { tally } = await second.finished(id);
    const other = await second.start({
      program,
      capture,
      edits: [{ before, map: 'blocked_v4', key, value: '01000000' }],
    });
    expect((await second.finished(other)).tally).toEqual(tally);
  });

  it('that waits are not there yet', async () => {
    await using daemon = await openDaemon({ workers: 0 });
    const [program, capture] = [await daemon.program('vlan'), await daemon.capture('vlan.pcap')];
    const id = await daemon.start({ program, entry: 'xdp_vlan', capture });
    const answer = await daemon.get(`/v1/replays/${id}/maps/vlans/entries`);
    expect(problem(answer)).toBe('409 replay-not-running');
    expect(answer.body.detail).toContain('mapInit');
  });
});
