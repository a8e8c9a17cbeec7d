import type { App } from '../app.ts';
import type { StreamRecord } from '../contract/streams.ts';
import { eventRoute } from '../event-stream.ts';
import type { Events } from '../events.ts';
import type { Services } from '../services.ts';

export async function streamEvents(app: App, { events, streams }: Services): Promise<void> {
  eventRoute(app, events, {
    kind: 'stream',
    description:
      '`feed` when a capture begins or ends and when the source fails, `tally` (frames, packets, bytes, verdicts so ' +
      'far), `windows` that grew, as they stand, `edit` of a map, and `end` with the record but for its request; then ' +
      'the connection is closed.',
    async look(id) {
      const record = await streams.get(id);
      if (record === undefined) return undefined;
      if (record.state !== 'running') return { events: [['end', withoutRequest(record)]], hasEnded: true };
      return {
        events: [
          ['feed', record.feed],
          ['tally', brief(record)],
        ],
        hasEnded: false,
      };
    },
  });
}

/** What changes from one moment to the next. */
export function brief({ frames, tally }: Pick<StreamRecord, 'frames' | 'tally'>) {
  const { packets, bytes, verdicts } = tally ?? { packets: 0, bytes: 0, verdicts: {} };
  return { frames, packets, bytes, verdicts };
}

function withoutRequest({ request: _, ...record }: StreamRecord) {
  return record;
}

/** Nothing more is told of a stream behind this. */
export function tellEnd(events: Events, record: StreamRecord): void {
  events.publish(record.id, 'end', withoutRequest(record));
  events.end(record.id);
}
