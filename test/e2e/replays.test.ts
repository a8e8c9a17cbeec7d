import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Daemon, startDaemon } from '../../tools/daemon.ts';
import { generateCapture } from '../../tools/generate-capture.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** A few seconds of the interpreter. */
const PACKETS = 300_000;

const data = mkdtempSync(join(tmpdir(), 'bpfreplay-replays-'));
let daemon: Daemon;
let request: { readonly program: string; readonly capture: string; readonly engine: string };

// biome-ignore lint/suspicious/noExplicitAny: the test looks into whatever comes
async function call(method: string, path: string, body?: Uint8Array | object): Promise<any> {
  const raw = body instanceof Uint8Array;
  const answer = await fetch(daemon.url + path, {
    method,
    ...(body === undefined ? {} : { body: raw ? (body as BodyInit) : JSON.stringify(body) }),
    headers: body === undefined ? {} : { 'content-type': raw ? 'application/octet-stream' : 'application/json' },
  });
  const text = await answer.text();
  return text.startsWith('{') ? JSON.parse(text) : text;
}

async function finished(id: string) {
  for (;;) {
    const record = await call('GET', `/v1/replays/${id}`);
    if (record.finishedAt !== null) return record;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeAll(async () => {
  daemon = await startDaemon(data);
  const pieces: Uint8Array[] = [];
  const options = { packets: PACKETS, size: 64, seed: 5, flows: 100, profile: 'mixed', format: 'pcap' } as const;
  generateCapture(options, (piece) => pieces.push(piece.slice()));
  const object = readFileSync(join(ROOT, 'programs/blocklist.bpf.o'));
  const program = (await call('POST', '/v1/programs', object)).id;
  const capture = (await call('POST', '/v1/captures', new Uint8Array(Buffer.concat(pieces)))).id;
  request = { program, capture, engine: 'interpreter' };
});
afterAll(async () => {
  await daemon?.end('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

/** Reads events until one of a name comes, and gives those that came. */
async function* eventsOf(id: string, last?: string) {
  const headers = last === undefined ? {} : { 'last-event-id': last };
  const answer = await fetch(`${daemon.url}/v1/replays/${id}/events`, { headers });
  let text = '';
  for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      text = text.slice(end + 2);
      if (fields.has('event'))
        yield { id: fields.get('id')!, event: fields.get('event')!, data: JSON.parse(fields.get('data')!) };
    }
  }
}

it('a replay is followed by its events while its maps are edited; killed, it is run again with the same edits', async () => {
  const { id } = await call('POST', '/v1/replays', { ...request, maps: true });
  let edit: { before: number } | undefined;
  let last: string | undefined;
  for await (const event of eventsOf(id)) {
    last = event.id;
    if (event.event === 'progress' && event.data.packets > 0 && edit === undefined) {
      // The whole of IPv4 is blocked from here on.
      edit = await call('PUT', `/v1/replays/${id}/maps/blocked_v4/entries/0000000000000000`, { value: '01000000' });
      expect(edit).toMatchObject({ map: 'blocked_v4', mode: 'any' });
    }
    if (event.event === 'edit') {
      expect(event.data).toEqual(edit);
      break;
    }
    if (event.event === 'end') break;
  }
  expect(edit?.before).toBeLessThan(PACKETS);
  // Where it was cut off it goes on, with nothing twice.
  for await (const { event } of eventsOf(id, last)) {
    expect(event).not.toBe('edit');
    break;
  }
  await daemon.end('SIGKILL');
  daemon = await startDaemon(data);

  const again = await finished(id);
  expect(again).toMatchObject({ state: 'succeeded', edits: 1 });
  const { items } = await call('GET', `/v1/replays/${id}/edits`);
  expect(items).toEqual([edit]);
  const other = await finished((await call('POST', '/v1/replays', { ...request, maps: true, edits: items })).id);
  expect(other.tally).toEqual(again.tally);
  expect(again.tally.verdicts.XDP_DROP.packets).toBeGreaterThan(0);
  expect(await call('GET', `/v1/replays/${other.id}/maps.json`)).toEqual(
    await call('GET', `/v1/replays/${id}/maps.json`),
  );
  const told = [];
  for await (const { event } of eventsOf(id)) told.push(event);
  expect(told.at(-1)).toBe('end');
});
