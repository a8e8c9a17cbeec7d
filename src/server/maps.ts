import { setTimeout } from 'node:timers/promises';
import { type Answered, type DoneEdit, keepMapsOf, type MapKeeper, type MapQuestion } from '../index.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';
import { assemblyTypeOf } from './entries.ts';
import type { Events } from './events.ts';
import type { DataFiles } from './files.ts';
import type { Jobs } from './jobs.ts';
import { programsOf } from './pipelines.ts';
import { Problem, type ProblemCode } from './problems.ts';
import { createExclusive, type Exclusive } from './services.ts';
import type { Store } from './store.ts';

/** What is found where the question is answered. */
export type FoundBy<Q extends MapQuestion> = Extract<Answered<Q>, { found: unknown }>['found'];

/** The maps of replays, asked of the thread that runs, or of one that holds what they held in the end. */
export interface ReplayMaps {
  /** Edits are on disk when it resolves. Throws a `Problem`. */
  ask<Q extends MapQuestion>(id: string, question: Q): Promise<FoundBy<Q>>;
  /** Whether they were edited after the replay. */
  areEdited(id: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Threads that hold maps of replays that have ended, and for how many milliseconds one stays that nobody asks. */
const MOST_KEEPERS = 4;
const KEEPER_PATIENCE = 60_000;
/** How long a thread may take to answer, in milliseconds: it does between two packets. */
const PATIENCE = 10_000;

interface Kept {
  readonly keeper: MapKeeper;
  readonly exclusive: Exclusive;
  timer: NodeJS.Timeout;
}

const CODES: Readonly<Record<string, ProblemCode>> = {
  'no-such-map': 'map-not-found',
  'map-update': 'map-refuses',
  'bad-map-key': 'bad-map-entry',
  'bad-map-value': 'bad-map-entry',
  'bad-hex': 'bad-map-entry',
  'bad-size': 'bad-map-entry',
  'no-such-program': 'bad-map-entry',
};

export function createReplayMaps({
  store,
  files,
  jobs,
  events,
}: {
  store: Store;
  files: DataFiles;
  jobs: Jobs;
  events: Events;
}): ReplayMaps {
  /** In the order in which they were asked last. */
  const keepers = new Map<string, Kept>();

  const drop = async (id: string) => {
    const kept = keepers.get(id);
    if (kept === undefined) return;
    keepers.delete(id);
    clearTimeout(kept.timer);
    await kept.keeper.close();
  };

  const fileOf = async ({ program: id, entry }: Pick<ReplayRecord['request'], 'program' | 'entry'>) => {
    const program = await store.programs.get(id);
    if (program === undefined) {
      throw new Problem('program-not-found', `program ${id} was deleted, and it says what the maps are`);
    }
    await (await files.open('program', id)).close();
    const type = assemblyTypeOf(program);
    return { object: files.path('program', id), program: entry, ...(type === undefined ? {} : { assembly: { type } }) };
  };

  const keep = async (record: ReplayRecord): Promise<Kept> => {
    const { id, request } = record;
    const known = keepers.get(id);
    if (known !== undefined) {
      known.timer.refresh();
      keepers.delete(id);
      keepers.set(id, known);
      return known;
    }
    await (await files.open('maps', id)).close();
    const [first, ...stages] = await Promise.all(programsOf(request).map(fileOf));
    const edits = (await store.edits.all(id)).filter(({ before }) => before === null);
    // Another request may have been here meanwhile.
    if (keepers.has(id)) return keep(record);
    const { cpus, maxMemory } = request;
    const options = { ...(cpus === undefined ? {} : { cpus }), ...(maxMemory === undefined ? {} : { maxMemory }) };
    const keeper = keepMapsOf({
      ...first!,
      stages,
      contents: files.path('maps', id),
      options,
      edits,
    });
    const timer = globalThis.setTimeout(() => void drop(id), KEEPER_PATIENCE);
    timer.unref();
    const kept = { keeper, exclusive: createExclusive(), timer };
    keepers.set(id, kept);
    for (const oldest of [...keepers.keys()].slice(0, keepers.size - MOST_KEEPERS)) await drop(oldest);
    return kept;
  };

  /** Keeps an edit that was done. */
  const note = async (id: string, question: MapQuestion, answer: Answered<MapQuestion>) => {
    if (question.ask !== 'edit' || !('found' in answer)) return;
    await store.edits.add(id, answer.found as DoneEdit);
    events.publish(id, 'edit', answer.found);
  };

  const askThread = async (id: string, question: MapQuestion): Promise<Answered<MapQuestion> | undefined> => {
    const thread = jobs.thread(id);
    if (thread === undefined) return undefined;
    const answered = thread.ask(question).then(async (answer) => {
      // Even when nobody waits any more: a run that is repeated is to do it too.
      await note(id, question, answer);
      return answer;
    });
    const answer = await Promise.race([answered, setTimeout(PATIENCE, 'late' as const, { ref: false })]);
    if (answer === 'late') {
      throw new Problem(
        'not-ready',
        `replay ${id} did not come to the end of a packet within ${PATIENCE / 1000} seconds`,
      );
    }
    return 'error' in answer && answer.error.code === 'ended' ? undefined : answer;
  };

  const askKeeper = async (record: ReplayRecord, question: MapQuestion): Promise<Answered<MapQuestion>> => {
    const { id } = record;
    if (record.request.maps !== true || record.state !== 'succeeded') {
      throw new Problem(
        'not-recorded',
        record.request.maps === true
          ? `replay ${id} ended as ${record.state}; what its maps held is gone`
          : `replay ${id} was not asked to keep its maps; start it with "maps": true`,
      );
    }
    const { keeper, exclusive } = await keep(record);
    return exclusive(async () => {
      const answer = await keeper.ask(question);
      try {
        await note(id, question, answer);
      } catch (error) {
        // What is not on disk is not done.
        await drop(id);
        throw error;
      }
      if ('error' in answer && answer.error.name !== 'OptionError') await drop(id);
      return answer;
    });
  };

  return {
    async ask<Q extends MapQuestion>(id: string, question: Q) {
      for (const deadline = Date.now() + PATIENCE; ; await setTimeout(20)) {
        const record = await jobs.get(id);
        if (record === undefined) throw new Problem('replay-not-found', `no replay has the id ${id}`);
        if (record.state === 'queued') {
          throw new Problem(
            'replay-not-running',
            `replay ${id} waits; what its maps hold first is told by \`mapInit\``,
          );
        }
        const answer = isFinished(record.state) ? await askKeeper(record, question) : await askThread(id, question);
        if (answer !== undefined) return found(answer as Answered<Q>);
        // It is being started, or its result is being kept.
        if (Date.now() > deadline) throw new Problem('not-ready', `replay ${id} neither runs nor has ended; ask again`);
      }
    },
    areEdited: async (id) => (await store.edits.all(id)).some(({ before }) => before === null),
    async close() {
      for (const id of [...keepers.keys()]) await drop(id);
    },
  };
}

/** What was found; throws what stands in its place, a `Problem` where that is the asker's. */
export function found<Q extends MapQuestion>(answer: Answered<Q>): FoundBy<Q> {
  if ('found' in answer) return answer.found as FoundBy<Q>;
  const { code, message } = answer.error;
  const problem = CODES[code];
  if (problem !== undefined) throw new Problem(problem, message);
  throw Object.assign(new Error(message), { code });
}
