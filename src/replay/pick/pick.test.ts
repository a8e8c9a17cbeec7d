import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CaptureMarks, markCapture } from '../../capture/marks.ts';
import { readCaptureFile } from '../../capture/reader.ts';
import { runReplay } from '../job.ts';
import type { PacketRecord, Tally } from '../tally.ts';
import type { PacketFilter } from './filter.ts';
import { type Picked, pickPackets } from './pick.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
const scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-pick-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function marksOf(capture: string, step: number): Promise<CaptureMarks> {
  const file = await open(capture);
  return markCapture(file, step).finally(() => file.close());
}

/** Drops what is shorter than 100 bytes, and changes the rest. */
const PROGRAM = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 100
  r0 = 1
  if r4 > r3 goto out
  *(u16 *)(r2 + 0) = 0xabcd
  r0 = 3
  out: exit
`;

function replayed(capture: string) {
  const object = join(scratch, 'object');
  const records = join(scratch, `${capture}.ndjson`);
  writeFileSync(object, PROGRAM);
  const path = join(ROOT, 'pcaps', capture);
  const { tally } = runReplay({
    object,
    assembly: { type: 'xdp' },
    capture: path,
    options: {},
    maps: false,
    packetsFile: records,
  });
  const all = readFileSync(records, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as PacketRecord);
  const source = { records, capture: path, marks: () => marksOf(path, 5000), layer: 2 } as const;
  return { tally, all, source };
}

async function picked(source: Parameters<typeof pickPackets>[0], filter: PacketFilter, from?: number) {
  const pieces: Picked[] = [];
  for await (const piece of pickPackets(source, filter, from === undefined ? {} : { from })) pieces.push(piece);
  return pieces.flatMap(({ records }) => records.map(({ record }) => record));
}

/** UDP in IPv4, as `tcpdump -ddd` would say it between commas. */
const UDP = '6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 17,6 0 0 262144,6 0 0 0';

describe('packets of a replay', () => {
  let all: readonly PacketRecord[];
  let tally: Tally;
  let source: ReturnType<typeof replayed>['source'];
  beforeAll(() => {
    ({ all, tally, source } = replayed('mixed.pcap'));
  });

  it('are picked by what is recorded of them', async () => {
    expect(await picked(source, {})).toEqual(all);
    expect(await picked(source, { verdicts: ['XDP_TX', 'XDP_PASS'] })).toEqual(
      all.filter(({ verdict }) => verdict === 'XDP_TX'),
    );
    expect(await picked(source, { first: 20, last: 29 })).toEqual(all.slice(20, 30));
    expect(await picked(source, { error: true })).toEqual([]);
    expect(await picked(source, { redirect: 'ifindex 4' })).toEqual([]);
  });

  it('are picked by what the capture has of them', async () => {
    const tcp = await picked(source, { protocols: ['tcp'] });
    expect(tcp).toHaveLength(
      Object.entries(tally.protocols).reduce((sum, [name, { packets }]) => sum + (/ TCP$/.test(name) ? packets : 0), 0),
    );
    const changed = await picked(source, { changed: true });
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.every(({ verdict }) => verdict === 'XDP_TX')).toBe(true);
    const same = await picked(source, { changed: false });
    expect(changed.length + same.length).toBe(all.length);
    const filtered = await picked(source, { classic: UDP, verdicts: ['XDP_DROP'], first: 3 });
    expect(filtered.length).toBeGreaterThan(0);
    const udp = await picked(source, { protocols: ['IPv4 UDP'], verdicts: ['XDP_DROP'], first: 3 });
    expect(filtered).toEqual(udp);
  });

  it('are picked page by page as they are at once', async () => {
    const bounds = fc.tuple(fc.nat(all.length), fc.nat(all.length));
    await fc.assert(
      fc.asyncProperty(bounds, fc.boolean(), async ([first, last], byFrame) => {
        const filter: PacketFilter = { first, last, ...(byFrame ? { protocols: ['TCP', 'ARP'] } : {}) };
        const whole = await picked(source, filter);
        const offsets = [];
        for await (const { next } of pickPackets(source, {})) offsets.push(next);
        const text = readFileSync(source.records, 'utf8');
        // Behind any line the rest is what is left.
        const behind = text.indexOf('\n', Math.floor(text.length / 3)) + 1;
        const seen = text.slice(0, behind).split('\n').length - 1;
        expect(await picked(source, filter, behind)).toEqual(whole.filter(({ index }) => index >= all[seen]!.index));
      }),
      { numRuns: 10 },
    );
  });

  it('of a filter that is none are refused', async () => {
    await expect(picked(source, { classic: '2\n40 0 0 12\n' })).rejects.toThrow('1 follow');
    await expect(picked(source, { classic: 'udp port 53' })).rejects.toThrow('as `tcpdump -ddd` prints');
  });
});

describe('marks in a capture', () => {
  it.each([
    'mixed.pcap',
    'big-endian.pcapng',
    'two-interfaces.pcapng',
    'two-sections.pcapng',
    'snaplen-cut.pcap',
    'tls-secrets.pcapng',
  ])('are places where its packets begin: %s', async (name) => {
    const { all, source } = replayed(name);
    const marks = await marksOf(source.capture, 400);
    let frames = 0;
    readCaptureFile(source.capture, () => frames++);
    expect(marks.marks.every(({ packet }) => packet <= frames)).toBe(true);
    const near = { ...source, marks: async () => marks };
    const whole = await picked(near, { changed: false });
    for (const first of [0, 1, Math.floor(frames / 2), frames - 1]) {
      expect(await picked(near, { changed: false, first })).toEqual(whole.filter(({ index }) => index >= first));
    }
    expect(whole).toEqual(all.filter(({ verdict }) => verdict === 'XDP_DROP'));
  });
});
