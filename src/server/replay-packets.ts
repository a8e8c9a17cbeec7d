import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { OptionError } from '../base/errors.ts';
import { type CaptureMarks, markCapture } from '../capture/marks.ts';
import {
  annotatedCapture,
  catalogue,
  filterTests,
  type PacketFilter,
  type PacketRecord,
  type PickSource,
  pickPackets,
} from '../index.ts';
import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { pageOf, problems, streamed, strict, UuidParams } from './contract/common.ts';
import { PacketFilterQuery, PacketRecordSchema, PacketsQuery, type PacketsQueryValues } from './contract/packets.ts';
import type { ReplayRecord } from './contract/replays.ts';
import type { DataFiles } from './files.ts';
import { Problem } from './problems.ts';
import { recordingSize } from './recordings.ts';
import type { Services } from './services.ts';

const tags = ['replays'];
/** Pieces of records (of 256 KiB) that are looked through for one page. */
const PIECES_A_PAGE = 64;
/** Answers of all packets that are being made at once: each reads a capture. */
const MOST_READERS = 8;
/** Captures whose marks are held. */
const MOST_MARKED = 16;

/** What became of each packet of a replay. */
export async function replayPackets(app: App, services: Services): Promise<void> {
  const { store, files } = services;
  const marksOf = createMarks(files);
  let readers = 0;
  const answers = problems(
    'replay-not-found',
    'not-recorded',
    'replay-not-finished',
    'capture-not-found',
    'bad-filter',
    'bad-request',
    'too-many-requests',
  );

  app.route({
    method: 'GET',
    url: '/replays/:id/packets',
    schema: {
      tags,
      summary: 'What became of each packet, page by page',
      description:
        'Of a replay that failed or was cancelled: the packets up to there. Those are given that meet every condition. ' +
        'A page may have fewer packets than its limit, or none, and still not be the last: `next` says.',
      params: UuidParams,
      querystring: strict({
        ...PacketFilterQuery,
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
        cursor: Type.Optional(Type.String({ pattern: '^[0-9a-z]{1,11}$', description: '`next` of the page before' })),
      }),
      response: { 200: pageOf(PacketRecordSchema), ...answers },
    },
    handler: async ({ params: { id }, query: { limit = 100, cursor, ...query } }) => {
      const { source, filter } = await sourceOf(await findReplay(services, id), query);
      return readPage(source, filter, limit, cursor === undefined ? 0 : Number.parseInt(cursor, 36));
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/packets.ndjson',
    schema: {
      tags,
      summary: 'What became of each packet, one JSON line each',
      params: UuidParams,
      querystring: PacketsQuery,
      response: {
        200: streamed('application/x-ndjson', 'Whole, as it is read', PacketRecordSchema),
        ...answers,
      },
    },
    handler: async ({ params: { id }, query, method }, reply) => {
      const record = await findReplay(services, id);
      reply.type('application/x-ndjson');
      if (Object.keys(query).length === 0) {
        reply.header('content-length', await recordingSize(files, record, 'packets'));
        return reply.send(createReadStream(files.path('packets', id)));
      }
      const { source, filter } = await sourceOf(record, query);
      return reply.send(method === 'HEAD' ? Readable.from([]) : read(lines(source, filter)));
    },
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/packets.pcapng',
    schema: {
      tags,
      summary: 'The packets as they were captured, each with its verdict',
      params: UuidParams,
      querystring: PacketsQuery,
      response: {
        200: streamed('application/x-pcapng', 'With `epb_verdict`, and the verdict in words'),
        ...answers,
      },
    },
    handler: async ({ params: { id }, query, method }, reply) => {
      const record = await findReplay(services, id);
      const { source, filter, program } = await sourceOf(record, query, true);
      reply.type('application/x-pcapng').header('content-disposition', `attachment; filename="${id}.pcapng"`);
      return reply.send(method === 'HEAD' ? Readable.from([]) : read(annotatedCapture(source, filter, program)));
    },
  });

  /** Throws a `Problem`. */
  async function sourceOf(record: ReplayRecord, query: PacketsQueryValues, needsCapture = false) {
    const { id, request, tally } = record;
    await recordingSize(files, record, 'packets');
    const type = tally?.type ?? request.type ?? (await entryType(request)) ?? 'xdp';
    const layer = catalogue.programTypes.get(type)?.layer ?? 2;
    const filter = filterOf(query);
    const tests = asProblem('bad-filter', () => filterTests(filter, layer));
    if ((needsCapture || tests.frame !== undefined) && (await store.captures.get(request.capture)) === undefined) {
      throw new Problem('capture-not-found', `the capture of replay ${id} was deleted, and this asks for its packets`);
    }
    const source: PickSource = {
      records: files.path('packets', id),
      capture: files.path('capture', request.capture),
      marks: () => marksOf(request.capture),
      layer,
    };
    return { source, filter, program: { type, program: tally?.program ?? request.entry ?? '' } };
  }

  async function entryType({ program, entry }: ReplayRecord['request']): Promise<string | null | undefined> {
    const found = await store.programs.get(program);
    return found?.programs.find(({ name }) => name === (entry ?? found.entry))?.type;
  }

  /** No faster than it is taken. */
  function read(pieces: AsyncGenerator<string | Uint8Array>): Readable {
    if (readers >= MOST_READERS) {
      throw new Problem('too-many-requests', `${MOST_READERS} such answers are being made already; ask again later`);
    }
    readers++;
    return Readable.from(pieces, { objectMode: false }).once('close', () => readers--);
  }
}

async function readPage(source: PickSource, filter: PacketFilter, limit: number, from: number) {
  const items: PacketRecord[] = [];
  let pieces = 0;
  let next: number | null = null;
  try {
    for await (const { records, next: behind } of pickPackets(source, filter, { from })) {
      const room = records.slice(0, limit - items.length);
      items.push(...room.map(({ record }) => record));
      next = behind;
      if (items.length === limit) {
        next = room.at(-1)?.next ?? next;
        return { items: plain(items), next: next.toString(36) };
      }
      if (++pieces === PIECES_A_PAGE) return { items: plain(items), next: behind.toString(36) };
    }
  } catch (error) {
    if (!(error instanceof OptionError) || error.code !== 'bad-offset') throw error;
    throw new Problem('bad-request', 'the cursor is not one that a page of this replay gave');
  }
  return { items: plain(items), next: null };
}

/** As the contract has them. */
function plain(items: readonly PacketRecord[]) {
  return items.map((record) => ({ ...record, redirect: record.redirect === null ? null : { ...record.redirect } }));
}

async function* lines(source: PickSource, filter: PacketFilter): AsyncGenerator<string> {
  for await (const { records } of pickPackets(source, filter)) {
    if (records.length > 0) yield `${records.map(({ line }) => line).join('\n')}\n`;
  }
}

function filterOf({ verdict, protocol, redirect, filter, ...rest }: PacketsQueryValues): PacketFilter {
  const list = (text: string) => text.split(',').map((name) => name.trim());
  return {
    ...rest,
    ...(verdict === undefined ? {} : { verdicts: list(verdict) }),
    ...(protocol === undefined ? {} : { protocols: list(protocol) }),
    ...(redirect === undefined ? {} : { redirect: BOOLEANS[redirect] ?? redirect }),
    ...(filter === undefined ? {} : { classic: filter }),
  };
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, false: false };

function asProblem<T>(code: 'bad-filter', step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof OptionError) throw new Problem(code, error.message);
    throw error;
  }
}

/** Where to begin in captures, found out once for each of those that were asked for last. */
function createMarks(files: DataFiles): (id: string) => Promise<CaptureMarks> {
  const known = new Map<string, Promise<CaptureMarks>>();
  const find = async (id: string) => {
    const file = await files.open('capture', id);
    return markCapture(file).finally(() => file.close());
  };
  return (id) => {
    const marks = known.get(id) ?? find(id);
    known.delete(id);
    known.set(id, marks);
    marks.catch(() => known.delete(id));
    for (const oldest of [...known.keys()].slice(0, known.size - MOST_MARKED)) known.delete(oldest);
    return marks;
  };
}
