import type { FastifyBaseLogger } from 'fastify';
import { isFinished } from './contract/replays.ts';
import { type ProgramsWanted, programsOf } from './pipelines.ts';
import type { Services } from './services.ts';
import type { Collection } from './store.ts';

/** How long and how much is kept. Without bounds everything is, until it is deleted. */
export interface Keep {
  /** Seconds since a replay ended; since a program or capture was submitted, or the last replay of it ended. */
  readonly seconds: number;
  /** Of files: programs, captures, and what replays recorded. */
  readonly bytes: number;
}

/** What may go, and what that would give. */
interface Candidate {
  readonly kind: 'program' | 'capture' | 'replay';
  readonly id: string;
  /** When it was of use last; RFC 3339, as records have it. */
  readonly used: string;
  readonly bytes: number;
}

/** How often is looked, in milliseconds, and how many replays go in one step of removing the old ones. */
const INTERVAL = 60_000;
const AT_ONCE = 100;

/**
 * Removes what is too old, then the oldest of what is too much. What a replay that has not finished or a stream uses
 * stays, whatever its age. A failure is logged, and tried again with the next round.
 */
export function startRetention(services: Services, keep: Keep, log: FastifyBaseLogger): { stop(): Promise<void> } {
  if (keep.seconds === Number.POSITIVE_INFINITY && keep.bytes === Number.POSITIVE_INFINITY) {
    return { stop: async () => {} };
  }
  const round = () =>
    sweep(services, keep, log).catch((error) => {
      log.error({ err: error }, 'retention failed; it is tried again');
    });
  let running = round();
  const timer = setInterval(() => {
    running = running.then(round);
  }, INTERVAL);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function sweep(services: Services, keep: Keep, log: FastifyBaseLogger): Promise<void> {
  if (keep.seconds !== Number.POSITIVE_INFINITY) {
    await removeOld(services, new Date(Date.now() - keep.seconds * 1000).toISOString(), log);
  }
  if (keep.bytes !== Number.POSITIVE_INFINITY) await removeOldest(services, keep.bytes, log);
}

async function removeOld(services: Services, before: string, log: FastifyBaseLogger): Promise<void> {
  const { store } = services;
  for (;;) {
    const ids = await store.endedBefore(before, AT_ONCE);
    const removed = await Promise.all(
      ids.map(async (id) => remove(services, await replayCandidate(services, id), 'age', log)),
    );
    if (!removed.includes(true)) break;
  }
  // Replays keep what they name: those are gone whose last replay is.
  const old = (await unused(services)).filter(({ used }) => used < before);
  for (const candidate of old) await remove(services, candidate, 'age', log);
}

async function removeOldest(services: Services, most: number, log: FastifyBaseLogger): Promise<void> {
  const usage = Object.values(await services.files.usage());
  let bytes = usage.reduce((sum, kind) => sum + kind.bytes, 0);
  if (bytes <= most) return;
  const recorded = await Promise.all((await services.files.recorded()).map((id) => replayCandidate(services, id)));
  const candidates = [...(await unused(services)), ...recorded].sort((a, b) => (a.used < b.used ? -1 : 1));
  for (const candidate of candidates) {
    if (bytes <= most) return;
    if (await remove(services, candidate, 'size', log)) bytes -= candidate.bytes;
  }
  if (bytes > most) log.warn({ bytes, most }, 'more is in use than retention is to keep');
}

async function replayCandidate({ store, files }: Services, id: string): Promise<Candidate> {
  const record = await store.replays.get(id);
  return { kind: 'replay', id, used: record?.finishedAt ?? '', bytes: await files.recordedBytes(id) };
}

/** Programs and captures that nothing uses that has not finished, and no template and no stream names. */
async function unused({ store }: Services): Promise<Candidate[]> {
  const found: Candidate[] = [];
  const named = new Set<string>();
  for (const collection of [store.templates, store.streams]) {
    for await (const { request } of all<{ id: string; request: ProgramsWanted }>(collection)) {
      for (const { program } of programsOf(request)) named.add(program);
    }
  }
  for (const [kind, collection] of [
    ['program', store.programs],
    ['capture', store.captures],
  ] as const) {
    for await (const { id, createdAt, size: bytes } of all<{ id: string; createdAt: string; size: number }>(
      collection,
    )) {
      if (named.has(id) || (await store.isInUse(id))) continue;
      const last = await store.lastUse(id);
      found.push({ kind, id, used: last !== null && last > createdAt ? last : createdAt, bytes });
    }
  }
  return found;
}

async function* all<R extends { readonly id: string }>(collection: Pick<Collection<R>, 'list'>): AsyncIterable<R> {
  for (let cursor: string | undefined | null; cursor !== null; ) {
    const { items, next }: Awaited<ReturnType<Collection<R>['list']>> = await collection.list(AT_ONCE, cursor);
    yield* items;
    cursor = next;
  }
}

/** Whether it could go: it may have been taken into use since it was found. */
function remove(
  { store, files, totals, exclusive }: Services,
  { kind, id, used, bytes }: Candidate,
  because: 'age' | 'size',
  log: FastifyBaseLogger,
): Promise<boolean> {
  return exclusive(async () => {
    if (kind === 'replay') {
      const record = await store.replays.get(id);
      if (record === undefined || !isFinished(record.state)) return false;
      await store.replays.delete(id);
      await files.removeRecordings(id);
    } else {
      if (await store.isInUse(id)) return false;
      await (kind === 'program' ? store.programs : store.captures).delete(id);
      await files.remove(kind, id);
    }
    const sum = totals.removed.get(kind) ?? { files: 0, bytes: 0 };
    totals.removed.set(kind, { files: sum.files + 1, bytes: sum.bytes + bytes });
    log.info({ [kind]: id, used, bytes, because }, 'retention removed');
    return true;
  });
}
