import { type Explanation, explanationText, startExplanation } from '../index.ts';
import { findReplay } from './accept.ts';
import type { App } from './app.ts';
import { problems, streamed } from './contract/common.ts';
import { type ExplanationRecord, ExplanationSchema, PacketParams } from './contract/explanations.ts';
import { isFinished, type ReplayRecord } from './contract/replays.ts';
import { programsOf } from './pipelines.ts';
import { Problem, type ProblemCode } from './problems.ts';
import { createExclusive, type Services } from './services.ts';

const tags = ['replays'];
const LONGEST_SECONDS = 60;
/** Explanations that wait for one that is being made. */
const MOST_WAITING = 16;

/** Why packets of a replay got their verdicts. */
export async function replayExplanations(app: App, services: Services): Promise<void> {
  const { store, files, jobs } = services;
  const exclusive = createExclusive();
  let waiting = 0;
  let cancelled = () => {};
  // A daemon that ends does not wait for what nobody keeps.
  app.addHook('preClose', async () => cancelled());
  const answers = problems(
    'replay-not-found',
    'replay-not-finished',
    'program-not-found',
    'capture-not-found',
    'packet-not-found',
    'not-explained',
    'too-many-requests',
  );

  app.route({
    method: 'GET',
    url: '/replays/:id/packets/:index/explanation',
    schema: {
      tags,
      summary: 'Why a packet got its verdict',
      description: 'The replay is run again up to that packet, whose steps are told by source lines.',
      params: PacketParams,
      response: { 200: ExplanationSchema, ...answers },
    },
    // For the contract, whose arrays are not read-only.
    handler: async ({ params: { id, index } }, { raw }) => (await explain(id, index, raw)) as ExplanationRecord,
  });

  app.route({
    method: 'GET',
    url: '/replays/:id/packets/:index/explanation.txt',
    schema: {
      tags,
      summary: 'Why a packet got its verdict, for people',
      params: PacketParams,
      response: { 200: streamed('text/plain', 'By source lines'), ...answers },
    },
    handler: async ({ params: { id, index } }, reply) => {
      const text = explanationText(await explain(id, index, reply.raw));
      return reply.type('text/plain; charset=utf-8').send(`${text}\n`);
    },
  });

  /** Throws a `Problem`. */
  async function explain(id: string, index: number, client: Client): Promise<Explanation> {
    const record = await findReplay(services, id);
    await requireAll(record, index);
    if (waiting >= MOST_WAITING) {
      throw new Problem('too-many-requests', `${MOST_WAITING} packets wait to be explained; ask again later`);
    }
    waiting++;
    return exclusive(() => run(record, index, client)).finally(() => waiting--);
  }

  async function run(record: ReplayRecord, index: number, client: Client): Promise<Explanation> {
    const { object, assembly, capture, stages, options, edits } = await jobs.workOf(record);
    const optional = { ...(assembly && { assembly }), ...(stages && { stages }), ...(edits && { edits }) };
    const { finished, cancel } = startExplanation({ object, capture, options, index, ...optional });
    const patience = AbortSignal.timeout(LONGEST_SECONDS * 1000);
    const give = () => void cancel();
    cancelled = give;
    patience.addEventListener('abort', give);
    client.once('close', give);
    const result = await finished;
    patience.removeEventListener('abort', give);
    client.removeListener('close', give);
    if ('runs' in result) return result;
    if (patience.aborted) {
      throw new Problem('not-explained', `to come to packet ${index} takes more than ${LONGEST_SECONDS} seconds`);
    }
    throw new Problem(CODES[result.code] ?? 'not-explained', files.hidePlace(result.message));
  }

  /** Throws a `Problem` where the replay cannot be run again as it was, or had no such packet. */
  async function requireAll({ id, state, request, progress }: ReplayRecord, index: number): Promise<void> {
    if (!isFinished(state)) throw new Problem('replay-not-finished', `replay ${id} is ${state}; ask when it is done`);
    if (request.clock === 'wall') {
      throw new Problem('not-explained', `replay ${id} read the machine's clock, and cannot be run again as it was`);
    }
    if (state === 'succeeded' && index >= progress.packets) {
      const had = progress.packets === 0 ? 'no packets' : `packets 0 to ${progress.packets - 1}`;
      throw new Problem('packet-not-found', `there is no packet ${index}: replay ${id} had ${had}`);
    }
    for (const { program } of programsOf(request)) {
      if ((await store.programs.get(program)) === undefined) {
        throw new Problem('program-not-found', `program ${program} of replay ${id} was deleted`);
      }
    }
    if ((await store.captures.get(request.capture)) === undefined) {
      throw new Problem('capture-not-found', `the capture of replay ${id} was deleted`);
    }
  }
}

/** Who went away wants no answer. */
type Client = Pick<NodeJS.EventEmitter, 'once' | 'removeListener'>;

const CODES: Readonly<Record<string, ProblemCode>> = { 'no-such-packet': 'packet-not-found', ENOENT: 'data-damaged' };
