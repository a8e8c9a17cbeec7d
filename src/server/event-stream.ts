import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { App } from './app.ts';
import { NothingSchema, problems, streamed, UuidParams } from './contract/common.ts';
import type { Events, StoredEvent } from './events.ts';
import { Problem } from './problems.ts';

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
const SUPERSEDED: ReadonlySet<string> = new Set(['progress', 'tally', 'feed']);

/** What events are told of. */
export interface Told {
  /** As routes and problems call one: under `/replays`, `replay-not-found`. */
  readonly kind: 'replay' | 'stream';
  readonly description: string;
  /** How it stands, in the same events; undefined where there is no such one. */
  look(id: string): Promise<Standing | undefined>;
}

interface Standing {
  readonly events: readonly (readonly [event: string, data: unknown])[];
  /** The last of the events is `end`. */
  readonly hasEnded: boolean;
}

/** The route of events as `text/event-stream` (WHATWG HTML, section "Server-sent events"). */
export function eventRoute(app: App, events: Events, { kind, description, look }: Told): void {
  let listeners = 0;
  app.route({
    method: 'GET',
    url: `/${kind}s/:id/events`,
    schema: {
      tags: [`${kind}s`],
      summary: `What happens to a ${kind}, as server-sent events`,
      description:
        `${description} The first events say how it stands. With \`last-event-id\` those that came since, as far as ` +
        'they are kept. A client that is slow is told the newest figures only.',
      params: UuidParams,
      headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 64 })) }),
      response: {
        200: streamed('text/event-stream', `Until the ${kind} ends`),
        204: { ...NothingSchema, description: 'All was told: do not ask again' },
        ...problems(`${kind}-not-found`, 'too-many-requests'),
      },
    },
    handler: async (request, reply) => {
      const { id } = request.params;
      const standing = await look(id);
      if (standing === undefined) throw new Problem(`${kind}-not-found`, `no ${kind} has the id ${id}`);
      const told = request.headers['last-event-id'];
      if (told === LAST && standing.hasEnded) return reply.code(204).send(null);
      if (listeners >= MOST_LISTENERS) {
        throw new Problem('too-many-requests', `${MOST_LISTENERS} clients are listening already; ask again later`);
      }
      reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
      if (request.method === 'HEAD') return reply.send(Readable.from([]));
      listeners++;
      const stream = Readable.from(follow(events, id, told, () => look(id)));
      stream.once('close', () => listeners--);
      return reply.send(stream);
    },
  });
}

async function* follow(
  events: Events,
  id: string,
  told: string | undefined,
  look: () => Promise<Standing | undefined>,
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
        const last = events.last(id);
        at = last;
        const standing = await look();
        // It was deleted.
        if (standing === undefined) return;
        yield standing.events.map(([event, data]) => written({ id: last, event, data: JSON.stringify(data) })).join('');
        if (standing.hasEnded) return;
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

function newest(batch: readonly StoredEvent[]): readonly StoredEvent[] {
  const last = new Map(batch.map((event) => [event.event, event]));
  return batch.filter((event) => !SUPERSEDED.has(event.event) || last.get(event.event) === event);
}

/** Data is JSON, which has no line breaks of its own. */
function written({ id, event, data }: StoredEvent): string {
  return `id: ${event === 'end' ? LAST : `${EPOCH}.${id}`}\nevent: ${event}\ndata: ${data}\n\n`;
}
