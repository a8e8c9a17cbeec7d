import type { App } from './app.ts';
import { isFinished } from './contract/replays.ts';
import { eventRoute } from './event-stream.ts';
import type { Services } from './services.ts';

export async function replayEvents(app: App, { events, jobs }: Services): Promise<void> {
  eventRoute(app, events, {
    kind: 'replay',
    description:
      '`state`, `progress` and `tally` (packets, bytes, verdicts so far), `edit` of a map, and `end` with the record ' +
      'but for its request; then the connection is closed.',
    async look(id) {
      const record = await jobs.get(id);
      if (record === undefined) return undefined;
      const { request: _, ...result } = record;
      const { state, startedAt, finishedAt, stopped, error, progress } = record;
      const hasEnded = isFinished(state);
      return {
        events: [
          ['state', { state, startedAt, finishedAt, stopped, error }],
          hasEnded ? ['end', result] : ['progress', progress],
        ],
        hasEnded,
      };
    },
  });
}
