/** Clients in a thread of their own, so that what they measure is the daemon and not whoever drives it. */
import { connect } from 'node:net';
import { parentPort, Worker, workerData } from 'node:worker_threads';

export interface ClientOptions {
  readonly url: string;
  /** What they ask for: the first client the first path, and so on in turn. */
  readonly paths: readonly string[];
  readonly clients: number;
  /** Milliseconds between two requests of one client. */
  readonly interval: number;
}

/** In milliseconds, from the request's being sent to the end of its answer. */
export interface Latencies {
  readonly requests: number;
  /** What was not answered with 200, and the first few of them in words. */
  readonly errors: number;
  readonly examples: readonly string[];
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Seconds of processor time that the clients took. */
  readonly seconds: number;
}

export interface Clients {
  /** They ask from now on. */
  poll(): void;
  /** They rest, and tell what they saw since they began. Their connections stay. */
  rest(): Promise<Latencies>;
  close(): Promise<void>;
}

/**
 * Clients that are connected, and ask when told. They are of little cost: what theirs have, real ones have on other
 * machines. What they do cost is taken from the daemon all the same.
 */
export function connectClients(options: ClientOptions): Clients {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  return {
    poll: () => worker.postMessage('poll'),
    rest: () =>
      new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.postMessage('rest');
      }),
    close: async () => {
      await worker.terminate();
    },
  };
}

/** How often is looked whose turn it is, in milliseconds. */
const TICK = 5;
const LENGTH = /\r\ncontent-length: (\d+)/i;
const LONGEST_HEAD = 4096;
/** What is read at once, of all clients: that of one is done with before another's comes. */
const SHARED = Buffer.alloc(64 * 1024);

function run({ url, paths, clients, interval }: ClientOptions): void {
  const { hostname, port, host } = new URL(url);
  let times: number[] = [];
  let errors: string[] = [];
  const all = Array.from({ length: clients }, (_, i) => {
    const path = paths[i % paths.length]!;
    const request = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    const client = createClient(hostname, Number(port), request, (error, time) => {
      times.push(time);
      if (error !== undefined) errors.push(`${path}: ${error}`);
    });
    return { ...client, next: 0 };
  });
  let timer: NodeJS.Timeout;
  let used = process.threadCpuUsage();
  const poll = () => {
    [times, errors] = [[], []];
    used = process.threadCpuUsage();
    const start = performance.now();
    // Spread over the interval, as clients that do not know of each other are.
    for (const [i, one] of all.entries()) one.next = start + (i / clients) * interval;
    timer = setInterval(() => {
      const now = performance.now();
      for (const one of all) {
        if (one.next > now) continue;
        one.next += interval;
        one.ask();
      }
    }, TICK);
  };
  const rest = () => {
    clearInterval(timer);
    const { user, system } = process.threadCpuUsage(used);
    // Who still waits has waited at least so long.
    times.push(...all.flatMap(({ waiting }) => waiting() ?? []));
    parentPort!.postMessage({ ...latencies(times, errors), seconds: (user + system) / 1e6 } satisfies Latencies);
  };
  parentPort!.on('message', (word: 'poll' | 'rest') => (word === 'poll' ? poll : rest)());
}

function latencies(times: number[], errors: readonly string[]): Omit<Latencies, 'seconds'> {
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
  return {
    requests: times.length,
    errors: errors.length,
    examples: errors.slice(0, 3),
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
  };
}

/** The least HTTP that does: a client that costs much would take from the daemon what it measures. */
function createClient(
  host: string,
  port: number,
  request: string,
  onAnswer: (error: string | undefined, time: number) => void,
): { ask(): void; waiting(): number | undefined } {
  let sent: number | undefined;
  /** Of the answer that is being read; undefined before its head. */
  let missing: number | undefined;
  let status = '';
  const end = (error?: string) => {
    if (sent === undefined) return;
    onAnswer(error, performance.now() - sent);
    sent = missing = undefined;
  };
  const read = (size: number, bytes: Uint8Array): boolean => {
    if (missing !== undefined) missing -= size;
    else {
      // The daemon sends a head at once.
      const head = (bytes as Buffer).toString('latin1', 0, Math.min(size, LONGEST_HEAD));
      const split = head.indexOf('\r\n\r\n');
      status = head.slice(9, 12);
      missing = Number(LENGTH.exec(head)?.[1]) - (size - split - 4);
      if (split < 0 || Number.isNaN(missing)) end('the answer cannot be read');
    }
    if (missing === 0) end(status === '200' ? undefined : status);
    return true;
  };
  const socket = connect({ host, port, noDelay: true, onread: { buffer: SHARED, callback: read } });
  socket.on('error', (error) => end(String(error)));
  socket.on('close', () => end('the connection was closed'));
  return {
    ask() {
      // Still without an answer since its last turn: that counts, and the next one waits.
      if (sent !== undefined) return;
      sent = performance.now();
      if (socket.destroyed) end('the connection was closed');
      else socket.write(request, 'latin1');
    },
    waiting: () => (sent === undefined ? undefined : performance.now() - sent),
  };
}

if (parentPort !== null) run(workerData as ClientOptions);
