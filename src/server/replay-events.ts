import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { NothingSchema, problems, streamed, UuidParams } from './contract/common.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';
import type { Events, StoredEvent } from './events.ts';
import { Problem } from './problems.ts';
import type { Services } from './services.ts';

/** Milliseconds after which a comment says that the connection lives. */
const HEARTBEAT = 15_000;
/** Milliseconds after which a client that was cut off is to ask again. */
const RETRY = 2_000;
const MOST_LISTENERS = 1_000;

/** Ids of events are of one daemon: another one counts from the beginning. */
const EPOCH = randomBytes(4).toString('hex');
/** The id of the last event there can be. */
const LAST = 'end';
/** Of several of these that wait, the last says all. */
const SUPERSEDED: ReadonlySet<string> = new Set(['progress', 'tally']);

/** Events of replays as `text/event-stream` (WHATWG HTML, section "Server-sent events"). */
export async function replayEvents(app: App, services: Services): Promise<void> {
  const { events, jobs } = services;
  let listeners = 0;

  app.route({
    method: 'GET',
    url: '/replays/:id/events',
    schema: {
      tags: ['replays'],
      summary: 'What happens to a replay, as server-sent events',
      description:
        '`state`, `progress` and `tally` (packets, bytes, verdicts so far), `edit` of a map, and `end` with the record ' +
        'but for its request; then the connection is closed. The first events say how it stands. With `last-event-id` ' +
        'those that came since, as far as they are kept. A client that is slow is told the newest figures only.',
      params: UuidParams,
      headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 64 })) }),
      response: {
        200: streamed('text/event-stream', 'Until the replay ends'),
        204: { ...NothingSchema, description: 'All was told: do not ask again' },
        ...problems('replay-not-found', 'too-many-requests'),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const record = await findReplay(services, id);
      const told = request.headers['last-event-id'];
      if (told === LAST && isFinished(record.state)) return reply.code(204).send(null);
      if (listeners >= MOST_LISTENERS) {
        throw new Problem('too-many-requests', `${MOST_LISTENERS} clients are listening already; ask again later`);
      }
      reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      listeners++;
      const stream = Readable.from(follow(events, id, told, () => jobs.get(id)));
      stream.once('close', () => listeners--);
      return reply.send(stream);
    },
  });
}

async function* follow(
  events: Events,
  id: string,
  told: string | undefined,
  look: () => Promise<ReplayRecord | undefined>,
): AsyncGenerator<string> {
  let wake = () => {};
  const end = events.listen(id, () => wake());
  try {
    yield `retry: ${RETRY}\n\n`;
    const known = new RegExp(`^${EPOCH}\\.(\\d{1,15})$`).exec(told ?? '')?.[1];
    let at = known === undefined ? undefined : Number(known);
    for (;;) {
      const batch = at === undefined ? undefined : events.after(id, at);
      if (batch === undefined) {
        at = events.last(id);
        const record = await look();
        // It was deleted.
        if (record === undefined) return;
        yield snapshot(record, at);
        if (isFinished(record.state)) return;
        continue;
      }
      const said = newest(batch).map(written).join('');
      at = batch.at(-1)?.id ?? at;
      if (said !== '') yield said;
      if (batch.some(({ event }) => event === 'end') || events.isClosed) return;
      if (batch.length > 0) continue;
      const hasNews = await Promise.race([
        new Promise<boolean>((resolve) => {
          wake = () => resolve(true);
        }),
        new Promise<boolean>((resolve) => {
          globalThis.setTimeout(resolve, HEARTBEAT, false).unref();
        }),
      ]);
      if (!hasNews) yield ':\n\n';
    }
  } finally {
    end();
  }
}

/** How it stands, in the same events. */
function snapshot(record: ReplayRecord, last: number): string {
  const { state, startedAt, finishedAt, stopped, error, progress } = record;
  const { request: _, ...result } = record;
  const event = (name: string, data: unknown) => written({ id: last, event: name, data: JSON.stringify(data) });
  const now = event('state', { state, startedAt, finishedAt, stopped, error });
  return now + (isFinished(state) ? event('end', result) : event('progress', progress));
}

function newest(batch: readonly StoredEvent[]): readonly StoredEvent[] {
  const last = new Map(batch.map((event) => [event.event, event]));
  return batch.filter((event) => !SUPERSEDED.has(event.event) || last.get(event.event) === event);
}

/** Data is JSON, which has no line breaks of its own. */
function written({ id, event, data }: StoredEvent): string {
  return `id: ${event === 'end' ? LAST : `${EPOCH}.${id}`}\nevent: ${event}\ndata: ${data}\n\n`;
}
