import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import underPressure from '@fastify/under-pressure';
import closeWithGrace from 'close-with-grace';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { startReplay } from '../index.ts';
import { checkExposure, readTokens, refuseForeign, requireTokens, type TokenFiles, type Tokens } from './access.ts';
import type { App } from './app.ts';
import { captures } from './captures.ts';
import { components } from './contract/components.ts';
import { openData } from './data.ts';
import { answerWithProblems, refuseOtherMethods, sendError } from './errors.ts';
import { Events } from './events.ts';
import { createFigures } from './figures.ts';
import { health } from './health.ts';
import { createJobs } from './jobs.ts';
import { speakJson } from './json.ts';
import { createLog, RequestLog } from './log.ts';
import { createReplayMaps } from './maps.ts';
import { metrics } from './metrics.ts';
import { openapi } from './openapi.ts';
import { PROBLEM_TYPE, PROBLEMS, Problem, type ProblemCode, problemDocument } from './problems.ts';
import { programs } from './programs.ts';
import { limitRate } from './rate.ts';
import { recordings } from './recordings.ts';
import { replayEvents } from './replay-events.ts';
import { replayExplanations } from './replay-explanations.ts';
import { replayMaps } from './replay-maps.ts';
import { replayPackets } from './replay-packets.ts';
import { replays } from './replays.ts';
import { startRetention } from './retention.ts';
import { sendSecurityHeaders } from './security-headers.ts';
import { createExclusive, type Services, type StartReplay } from './services.ts';
import { stats } from './stats.ts';
import { streamRoutes } from './streams/routes.ts';
import { NO_SOURCES, type Sources } from './streams/sources.ts';
import { createStreams } from './streams/streams.ts';
import { templates } from './templates.ts';
import { createTotals } from './totals.ts';

export interface ServerOptions {
  /** The data directory; made where it is not there. One daemon at a time works in it. */
  readonly data: string;
  /** Largest object, in bytes. */
  readonly maxObject?: number;
  /** Largest capture, in bytes. */
  readonly maxCapture?: number;
  /** Replays at once, each in a thread of its own. */
  readonly workers?: number;
  /** Replays that may wait. */
  readonly maxQueue?: number;
  /** Seconds that a replay may run. As long as it takes unless told. */
  readonly maxSeconds?: number;
  /** Bytes that each recording of a replay (its packets, its output) may take. */
  readonly maxRecording?: number;
  /** Seconds that replays have to end when the daemon closes. What does not is run again when it is back. */
  readonly drain?: number;
  /** Seconds that what is finished or unused is kept. For ever unless told. */
  readonly keepAge?: number;
  /** Bytes of files that are kept; the oldest go first. As many as the disk holds unless told. */
  readonly keepSize?: number;
  /** Requests a second that one client may make; 0 is no bound. */
  readonly rate?: number;
  readonly tokens?: Tokens;
  /** Streams at once, each in a thread of its own. */
  readonly streams?: number;
  /** What streams may read, beside what is sent to them. */
  readonly sources?: Partial<Sources>;
  /** The name by which it was told to listen, and may be called beside localhost. */
  readonly host?: string;
  /** None unless told. */
  readonly logger?: FastifyBaseLogger;
  /** What runs a replay, in place of a worker thread. */
  readonly startReplay?: StartReplay;
}

const SERVER_DEFAULTS = {
  maxObject: 16 * 2 ** 20,
  maxCapture: 16 * 2 ** 30,
  workers: 1,
  maxQueue: 10_000,
  maxSeconds: Number.POSITIVE_INFINITY,
  maxRecording: 16 * 2 ** 30,
  drain: 10,
  keepAge: Number.POSITIVE_INFINITY,
  keepSize: Number.POSITIVE_INFINITY,
  rate: 1000,
  tokens: {} as Tokens,
  streams: 16,
  host: 'localhost',
} as const;

/** Characters of a part of a path; keys of maps can be long. */
const LONGEST_PARAMETER = 4096;
/** Requests are turned away while the event loop lags this many milliseconds behind. */
const MOST_EVENT_LOOP_DELAY = 2_000;
const RETRY_AFTER = 5;

/** The daemon, not yet listening; what was accepted before runs on. Throws an `OptionError` about the data directory. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const settings = { ...SERVER_DEFAULTS, startReplay, ...options };
  const data = await openData(settings.data, settings.logger);
  const { store, files } = data;
  const app: App = fastify({
    ...(settings.logger === undefined ? { logger: false } : { loggerInstance: settings.logger }),
    logController: new RequestLog(),
    genReqId: () => randomUUID(),
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => sendError(error, request, reply),
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
  }).withTypeProvider<TypeBoxTypeProvider>();
  speakJson(app);
  for (const schema of components) app.addSchema(schema);

  const totals = createTotals();
  const events = new Events();
  const jobs = createJobs({
    store,
    files,
    totals,
    events,
    log: app.log,
    startReplay: settings.startReplay,
    atOnce: settings.workers,
    longest: milliseconds(settings.maxSeconds),
    maxRecording: settings.maxRecording,
  });
  const maps = createReplayMaps({ store, files, jobs, events });
  const exclusive = createExclusive();
  const streams = createStreams({
    store,
    files,
    log: app.log,
    events,
    exclusive,
    sources: { ...NO_SOURCES, ...settings.sources },
    most: settings.streams,
  });
  const services: Services = {
    store,
    files,
    jobs,
    maps,
    events,
    streams,
    totals,
    exclusive,
    limits: {
      object: { bytes: settings.maxObject, option: '--max-object' },
      capture: { bytes: settings.maxCapture, option: '--max-capture' },
      workers: settings.workers,
      queue: settings.maxQueue,
    },
  };
  // Before the requests that are under way have ended: some of them are captures that would not.
  app.addHook('preClose', () => streams.close());
  app.addHook('preClose', async () => events.close());
  app.addHook('onClose', async () => {
    await jobs.close(milliseconds(settings.drain));
    await maps.close();
    data.close();
  });

  answerWithProblems(app as unknown as FastifyInstance);
  await sendSecurityHeaders(app as unknown as FastifyInstance);
  // Behind the headers, which refusals have too.
  limitRate(app as unknown as FastifyInstance, settings.rate);
  refuseForeign(app as unknown as FastifyInstance, settings.host, settings.tokens);
  requireTokens(app as unknown as FastifyInstance, settings.tokens);
  await openapi(app, await packageVersion());
  const finishRoutes = refuseOtherMethods(app as unknown as FastifyInstance);
  const figures = createFigures(app, services);
  await metrics(app, figures);
  await health(app, services);
  await app.register(
    async (v1: App) => {
      await v1.register(underPressure, {
        maxEventLoopDelay: MOST_EVENT_LOOP_DELAY,
        pressureHandler: (_request, reply, _type, delay) => {
          // Infinite is what it says before its first sample, as when the daemon has just started.
          if (delay === Number.POSITIVE_INFINITY) return;
          reply.header('retry-after', RETRY_AFTER);
          throw new Problem('overloaded', `ask again in ${RETRY_AFTER} seconds`);
        },
      });
      for (const resource of RESOURCES) await v1.register(resource, services);
      await v1.register(stats, { figures });
    },
    { prefix: '/v1' },
  );
  finishRoutes();
  await jobs.resume();
  const keep = { seconds: settings.keepAge, bytes: settings.keepSize };
  const retention = startRetention(services, keep, app.log);
  // Hooks that were added last run first.
  app.addHook('onClose', () => retention.stop());
  await streams.resume();
  return app as unknown as FastifyInstance;
}

/** The routes under `/v1`, in the order of the OpenAPI document. */
const RESOURCES = [
  programs,
  captures,
  replays,
  replayEvents,
  replayPackets,
  replayExplanations,
  recordings,
  replayMaps,
  templates,
  streamRoutes,
];

export interface ServeOptions extends Omit<ServerOptions, 'logger' | 'startReplay' | 'tokens'>, TokenFiles {
  /** The address to listen on. */
  readonly host: string;
  /** 0 takes any that is free. */
  readonly port: number;
  /** Log for people. */
  readonly pretty?: boolean;
}

/**
 * Runs the daemon until a signal ends it. Resolves when it listens, with its address; rejects when it cannot, or would
 * be open to other machines.
 */
export async function serve({ host, port, pretty = false, ...options }: ServeOptions): Promise<string> {
  const tokens = await readTokens(options, process.env);
  await checkExposure(host, tokens);
  const app = await createServer({ ...options, host, tokens, logger: createLog(pretty) });
  try {
    // Its own line in place of fastify's, which does not hold the address apart.
    app.log.level = 'warn';
    await app.listen({ host, port });
    app.log.level = 'info';
  } catch (error) {
    await app.close();
    throw error;
  }
  // Uploads that are under way and replays may end first.
  const drain = options.drain ?? SERVER_DEFAULTS.drain;
  closeWithGrace({ delay: milliseconds(drain + 5), logger: false }, async ({ signal, err }) => {
    if (err) app.log.fatal({ err }, 'closing after an error');
    else app.log.info({ signal }, 'closing');
    await app.close();
  });
  const { address, family, port: actual } = app.server.address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${actual}`;
  app.log.info({ url }, `listening on ${url}`);
  return url;
}

/** For a timer, which takes at most 2^31 - 1: some 24 days. */
function milliseconds(seconds: number): number {
  return Math.min(seconds * 1000, 2 ** 31 - 1);
}

/** What is no HTTP never becomes a request: it is answered on the socket. */
const REFUSED: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'timeout',
};

function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = REFUSED[error.code ?? ''] ?? 'bad-request';
  const { status, title } = PROBLEMS[code];
  const body = JSON.stringify(problemDocument(code, 'what came is not HTTP/1.1 as it can be read', randomUUID()));
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
