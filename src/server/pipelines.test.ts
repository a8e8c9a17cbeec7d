import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDaemon } from './testing.ts';

let daemon: Awaited<ReturnType<typeof openDaemon>>;
let blocklist: string;
let vlan: string;
let decap: string;
let capture: string;
beforeAll(async () => {
  daemon = await openDaemon();
  [blocklist, vlan, decap] = [
    await daemon.program('blocklist'),
    await daemon.program('vlan'),
    await daemon.program('decap'),
  ];
  capture = await daemon.capture('vlan.pcap');
});
afterAll(() => daemon[Symbol.asyncDispose]());

const start = (request: object) => daemon.send('POST', '/v1/replays', { program: blocklist, capture, ...request });
const run = async (request: object) => {
  const id = await daemon.start({ program: blocklist, capture, ...request });
  return { id, ...(await daemon.finished(id)) };
};
const behind = () => [
  { hook: 'tc-ingress', program: vlan, entry: 'tc_vlan' },
  { hook: 'tc-ingress', program: decap, entry: 'tc_decap' },
];

describe('a pipeline', () => {
  it('tells what became of packets in the end, and what each program did', async () => {
    const { tally } = await run({ pipeline: behind() });
    expect(tally).toMatchObject({ type: 'pipeline', program: 'blocklist → tc_vlan → tc_decap', packets: 62 });
    expect(Object.keys(tally.verdicts)).toEqual(['stack']);
    expect(tally.stages.map(({ hook, program, packets }: Record<string, unknown>) => [hook, program, packets])).toEqual(
      [
        ['xdp', 'blocklist', 62],
        ['tc-ingress', 'tc_vlan', 62],
        // What tc_vlan decides, no other is asked about.
        ['tc-ingress', 'tc_decap', 0],
      ],
    );
  });

  it('has the maps of all its programs, which are read and edited afterwards', async () => {
    const { id } = await run({ pipeline: behind(), maps: true });
    const { items } = (await daemon.get(`/v1/replays/${id}/maps`)).body;
    const names = items.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['blocked_ports', 'decapsulated']));
    const url = `/v1/replays/${id}/maps/decapsulated/entries/00000000`;
    const value = (await daemon.get(url)).body.value as string[];
    const change = { value: value.map((each) => each.replace(/^../, '2a')) };
    expect((await daemon.send('PUT', url, change)).status).toBe(200);
    expect((await daemon.get(url)).body.value).toEqual(change.value);
    const dump = (await daemon.get(`/v1/replays/${id}/maps.json`)).body as { maps: { map: string }[] };
    expect(dump.maps.map(({ map }) => map)).toEqual(names);
  });

  it('fails in plain words where a hook does not take a program', async () => {
    const { state, error } = await run({ pipeline: [{ hook: 'tc-egress', program: blocklist }] });
    expect([state, error.message]).toEqual([
      'failed',
      'tc-egress takes programs of type sched_cls or sched_act; blocklist is xdp',
    ]);
  });

  it('is refused at once where it names what is not there', async () => {
    const unknown = { hook: 'tc-ingress', program: '0'.repeat(64) };
    expect((await start({ pipeline: [unknown] })).body.code).toBe('unknown-program');
    expect((await start({ pipeline: [{ ...behind()[0], entry: 'nothing' }] })).body.code).toBe('unknown-entry');
    expect((await start({ pipeline: [{ ...behind()[0], hook: 'cgroup' }] })).body.code).toBe('validation');
  });
});
