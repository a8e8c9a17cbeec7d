import type { ProgramRecord } from './contract/programs.ts';
import type { NewReplay, ReplayRecord } from './contract/replays.ts';
import { findEntry } from './entries.ts';
import { programsOf } from './pipelines.ts';
import { Problem, type ProblemCode } from './problems.ts';
import type { Services } from './services.ts';

/** What `acceptReplay` can answer with. */
export const ACCEPT_PROBLEMS = [
  'malformed-json',
  'too-large',
  'unsupported-media-type',
  'unknown-program',
  'unknown-capture',
  'unknown-entry',
  'program-refused',
  'too-many-requests',
] as const satisfies readonly ProblemCode[];

/** Queues a replay. Throws a `Problem` where it could not run. */
export function acceptReplay({ store, jobs, limits, exclusive }: Services, request: NewReplay): Promise<ReplayRecord> {
  return exclusive(async () => {
    for (const wanted of programsOf(request)) await checkProgram(store, wanted);
    const capture = await store.captures.get(request.capture);
    if (capture === undefined) throw new Problem('unknown-capture', `no capture has the id ${request.capture}`);
    if (jobs.queue.waiting >= limits.queue) {
      throw new Problem('too-many-requests', `${limits.queue} replays are waiting already; ask again later`);
    }
    return jobs.create(request, capture.size);
  });
}

/** Says at once what would make a replay fail as soon as it starts. Throws a `Problem`. */
export async function checkProgram(
  store: Services['store'],
  request: Pick<NewReplay, 'program' | 'entry' | 'type'>,
): Promise<void> {
  const program: ProgramRecord | undefined = await store.programs.get(request.program);
  if (program === undefined) throw new Problem('unknown-program', `no program has the id ${request.program}`);
  const { refusal } = findEntry(program, request.entry);
  // The verdict was given for the type that the section names; for another the worker asks again.
  if (refusal === null || request.type !== undefined) return;
  const { message, help } = refusal;
  throw new Problem('program-refused', help === null ? message : `${message}. ${help}`, { refusal });
}

/** Throws a `Problem`. */
export async function findReplay({ jobs }: Pick<Services, 'jobs'>, id: string): Promise<ReplayRecord> {
  const record = await jobs.get(id);
  if (record === undefined) throw new Problem('replay-not-found', `no replay has the id ${id}`);
  return record;
}
