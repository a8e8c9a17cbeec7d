/** A daemon as a process of its own, with a program in it, and what tests of streams ask of it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Daemon, startDaemon } from '../../tools/daemon.ts';

export const ROOT = new URL('../../', import.meta.url).pathname;
export const OBJECT = join(ROOT, 'programs/flowstats.bpf.o');
export const BLOCKLIST = join(ROOT, 'programs/blocklist.bpf.o');
export const pcap = (name: string) => join(ROOT, 'pcaps', name);
export const bytesOf = (name: string) => readFileSync(pcap(name));

// biome-ignore lint/suspicious/noExplicitAny: the tests look into whatever comes
export type Body = any;

/** Asks the daemon, and gives back what it answers. */
type Ask = (url: string, method: string, body: Uint8Array | string | undefined, type: string) => Promise<Answer>;

interface Answer {
  readonly status: number;
  readonly text: string;
}

const askByFetch: Ask = async (url, method, body, type) => {
  // A connection that is kept may be closed by the daemon just then, when the test was busy with other things for long.
  const headers = { connection: 'close', ...(body === undefined ? {} : { 'content-type': type }) };
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: body as BodyInit }) });
  return { status: response.status, text: await response.text() };
};

/** For a daemon whose loopback is not ours. */
function askThrough(through: readonly string[]): Ask {
  return async (url, method, body, type) => {
    const [command, ...rest] = [...through, 'curl', '-s', '-X', method, '-w', '\n%{http_code}', url];
    const sent = body === undefined ? [] : ['-H', `content-type: ${type}`, '--data-binary', '@-'];
    const { stdout } = spawnSync(command!, [...rest, ...sent], { input: body ?? '', encoding: 'utf8' });
    const at = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(at + 1)), text: stdout.slice(0, at) };
  };
}

export class Bench {
  readonly daemon: Daemon;
  readonly #ask: Ask;
  program = '';

  private constructor(daemon: Daemon, ask: Ask) {
    this.daemon = daemon;
    this.#ask = ask;
  }

  /** `through` is what starts a command elsewhere, as `ip netns exec NAME` does. */
  static async start(data: string, args: readonly string[], through: readonly string[] = []): Promise<Bench> {
    const daemon = await startDaemon(data, args, {}, through);
    const bench = new Bench(daemon, through.length === 0 ? askByFetch : askThrough(through));
    bench.program = (await bench.call('POST', '/v1/programs', readFileSync(OBJECT))).body.id;
    return bench;
  }

  async call(
    method: string,
    path: string,
    body?: Uint8Array | string | object,
  ): Promise<{ status: number; body: Body }> {
    const isRaw = body instanceof Uint8Array || typeof body === 'string';
    const type =
      typeof body === 'string' ? 'text/x-bpf-assembly' : isRaw ? 'application/octet-stream' : 'application/json';
    const sent = isRaw || body === undefined ? body : JSON.stringify(body);
    const { status, text } = await this.#ask(this.daemon.url + path, method, sent, type);
    return { status, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  async stream(source: object, others: object = {}): Promise<string> {
    const request = { program: this.program, entry: 'flowstats', source, ...others };
    const { status, body } = await this.call('POST', '/v1/streams', request);
    expect({ status, problem: body.detail }).toEqual({ status: 201, problem: undefined });
    return body.id;
  }

  async read(id: string): Promise<Body> {
    return (await this.call('GET', `/v1/streams/${id}`)).body;
  }

  /** What the maps hold at this moment. */
  async maps(id: string): Promise<Body[]> {
    const { items } = (await this.call('GET', `/v1/streams/${id}/maps`)).body;
    return Promise.all(
      items.map(async ({ name, type }: { name: string; type: string }) => {
        const { body } = await this.call('GET', `/v1/streams/${id}/maps/${name}/entries?limit=10000`);
        return { map: name, type, entries: body.items.map(({ decoded: _, ...entry }: Body) => entry) };
      }),
    );
  }

  async until(id: string, isReached: (stream: Body) => boolean): Promise<Body> {
    for (const start = performance.now(); performance.now() - start < 60_000; await sleep(20)) {
      const stream = await this.read(id);
      if (isReached(stream)) return stream;
    }
    return expect.fail(`in vain waited for ${isReached}: ${JSON.stringify(await this.read(id))}`);
  }

  /** Sends a capture as `curl -T -` does. */
  upload(id: string): { body: ClientRequest; answer: Promise<{ status: number; body: Body }> } {
    const body = request(`${this.daemon.url}/v1/streams/${id}/capture`, { method: 'PUT' });
    const answer = new Promise<{ status: number; body: Body }>((resolve, reject) => {
      body.on('error', reject);
      body.on('response', async (response) => {
        const text = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode!, body: JSON.parse(text) });
      });
    });
    answer.catch(() => {});
    return { body, answer };
  }

  async remove(id: string): Promise<Body> {
    const { body } = await this.call('DELETE', `/v1/streams/${id}`);
    expect((await this.call('DELETE', `/v1/streams/${id}`)).status).toBe(204);
    return body;
  }
}
