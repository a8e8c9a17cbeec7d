/** A daemon as a process of its own, with a program in it, and what tests of streams ask of it. */
import { readFileSync } from 'node:fs';
import { type ClientRequest, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Daemon, startDaemon } from '../../tools/daemon.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
export const OBJECT = join(ROOT, 'programs/flowstats.bpf.o');
export const pcap = (name: string) => join(ROOT, 'pcaps', name);
export const bytesOf = (name: string) => readFileSync(pcap(name));

// biome-ignore lint/suspicious/noExplicitAny: the tests look into whatever comes
export type Body = any;

export class Bench {
  readonly daemon: Daemon;
  program = '';
  constructor(daemon: Daemon) {
    this.daemon = daemon;
  }

  static async start(data: string, ...args: string[]): Promise<Bench> {
    const bench = new Bench(await startDaemon(data, args));
    bench.program = (await bench.call('POST', '/v1/programs', readFileSync(OBJECT))).body.id;
    return bench;
  }

  async call(
    method: string,
    path: string,
    body?: Uint8Array | string | object,
  ): Promise<{ status: number; body: Body }> {
    const raw = body instanceof Uint8Array || typeof body === 'string';
    const type =
      typeof body === 'string' ? 'text/x-bpf-assembly' : raw ? 'application/octet-stream' : 'application/json';
    const response = await fetch(this.daemon.url + path, {
      method,
      ...(body === undefined
        ? {}
        : { body: raw ? (body as BodyInit) : JSON.stringify(body), headers: { 'content-type': type } }),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
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

  async until(id: string, isReached: (stream: Body) => boolean): Promise<Body> {
    for (const start = performance.now(); performance.now() - start < 15_000; await sleep(20)) {
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
