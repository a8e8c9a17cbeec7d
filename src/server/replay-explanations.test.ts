import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { PacketRecord } from '../index.ts';
import { type Answer, openDaemon } from './testing.ts';

const BLOCKLIST = JSON.parse(readFileSync(new URL('../../programs/blocklist.maps.json', import.meta.url), 'utf8'));
const problem = ({ status, body }: Answer) => `${status} ${body.code}`;

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
  await daemon.finished(id);
  return (index: number | string, form = '') => daemon.get(`/v1/replays/${id}/packets/${index}/explanation${form}`);
};

it('tells why a packet was dropped, with the record that the replay has of it', async () => {
  const id = await daemon.start({ program, capture: mixed, mapInit: BLOCKLIST, packets: true });
  await daemon.finished(id);
  const { items } = (await daemon.get(`/v1/replays/${id}/packets?verdict=XDP_DROP&limit=1`)).body;
  const [record] = items as PacketRecord[];
  const { status, body } = await daemon.get(`/v1/replays/${id}/packets/${record!.index}/explanation`);
  expect(status).toBe(200);
  expect(body.packet).toEqual(record);
  expect(body.runs).toMatchObject([{ program: 'blocklist', verdict: 'XDP_DROP', decision: { line: 70 } }]);
});

it('says the same for people', async () => {
  const explain = await run({});
  const { body, headers } = await explain(46, '.txt');
  expect(headers['content-type']).toBe('text/plain; charset=utf-8');
  expect(body).toMatch(/^packet 46, 74 bytes captured at .*: XDP_DROP\n/);
});

it('does the edits that the replay was given', async () => {
  const edit = { before: 100, map: 'blocked_v4', key: '0000000000000000', value: '01000000' };
  const explain = await run({ edits: [edit] });
  expect((await explain(2)).body.packet.verdict).toBe('XDP_PASS');
  expect((await explain(102)).body.packet.verdict).toBe('XDP_DROP');
});

it('goes through a pipeline', async () => {
  const behind = await daemon.program('vlan');
  const explain = await run({ pipeline: [{ hook: 'tc-ingress', program: behind, entry: 'tc_vlan' }] });
  const { runs } = (await explain(0)).body;
  expect(runs.map((each: { program: string }) => each.program)).toEqual(['blocklist', 'tc_vlan']);
});

it('says why it cannot', async () => {
  const explain = await run({ stop: { packets: 10 } });
  expect(problem(await explain(10))).toBe('404 packet-not-found');
  expect(problem(await explain('x'))).toBe('400 validation');
  expect(problem(await (await run({ clock: 'wall' }))(1))).toBe('409 not-explained');
  const cut = await daemon.capture('arp.pcap');
  const ofDeleted = await run({ capture: cut });
  await daemon.send('DELETE', `/v1/captures/${cut}`);
  expect(problem(await ofDeleted(0))).toBe('404 capture-not-found');
});
