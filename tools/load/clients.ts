/** Clients in a thread of their own, so that what they measure is the daemon and not whoever drives it. */
import { connect, type Socket } from 'node:net';
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
}

/** Clients that ask until they are stopped. */
export function startClients(options: ClientOptions): { stop(): Promise<Latencies> } {
  const worker = new Worker(new URL(import.meta.url), { workerData: options });
  return {
    async stop() {
      try {
        return await new Promise<Latencies>((resolve, reject) => {
          worker.on('message', resolve);
          worker.on('error', reject);
          worker.postMessage('stop');
        });
      } finally {
        await worker.terminate();
      }
    },
  };
}

/** How often is looked whose turn it is, in milliseconds. */
const TICK = 5;

async function run({ url, paths, clients, interval }: ClientOptions): Promise<void> {
  const { hostname, port, host } = new URL(url);
  const times: number[] = [];
  const errors: string[] = [];
  const start = performance.now();
  // Spread over the interval, as clients that do not know of each other are.
  const all = Array.from({ length: clients }, (_, i) => {
    const path = paths[i % paths.length]!;
    const client = createClient(connect(Number(port), hostname), `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    client.onAnswer = (error, time) => {
      times.push(time);
      if (error !== undefined) errors.push(`${path}: ${error}`);
    };
    return { client, next: start + (i / clients) * interval };
  });
  const timer = setInterval(() => {
    const now = performance.now();
    for (const one of all) {
      if (one.next > now) continue;
      one.next += interval;
      one.client.ask();
    }
  }, TICK);
  await new Promise((resolve) => parentPort!.once('message', resolve));
  clearInterval(timer);
  for (const { client } of all) client.close();
  times.sort((a, b) => a - b);
  const quantile = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
  const result: Latencies = {
    requests: times.length,
    errors: errors.length,
    examples: errors.slice(0, 3),
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
  };
  parentPort!.postMessage(result);
}

/** The least HTTP that does: a client that costs much would take from the daemon what it measures. */
function createClient(socket: Socket, request: string) {
  let sent: number | undefined;
  let head = '';
  let missing = -1;
  const client = {
    onAnswer: (_error: string | undefined, _time: number) => {},
    ask() {
      // Still without an answer since its last turn: that counts, and the next one waits.
      if (sent !== undefined) return;
      sent = performance.now();
      socket.write(request);
    },
    close: () => socket.destroy(),
  };
  const end = (error?: string) => {
    if (sent === undefined) return;
    client.onAnswer(error, performance.now() - sent);
    sent = undefined;
    head = '';
    missing = -1;
  };
  socket.setNoDelay().on('data', (bytes) => {
    if (missing >= 0) missing -= bytes.length;
    else {
      head += (bytes as Buffer).toString('latin1');
      const split = head.indexOf('\r\n\r\n');
      if (split < 0) return;
      missing = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]) - (head.length - split - 4);
    }
    const status = head.slice(9, 12);
    if (missing === 0) end(status === '200' ? undefined : status);
    else if (!(missing > 0)) end('the answer is of unknown length');
  });
  socket.on('error', (error) => end(String(error)));
  socket.on('close', () => end('the connection was closed'));
  return client;
}

if (parentPort !== null) await run(workerData as ClientOptions);
