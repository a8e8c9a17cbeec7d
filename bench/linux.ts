import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { MapInit } from '../src/index.ts';
import { kernelAvailable, mapInitLines, ORACLE } from '../test/differential/oracle.ts';

interface Answer {
  readonly error?: string;
  readonly object?: number;
  readonly ns?: number;
  readonly retval?: number;
  readonly packets?: number;
}

/** An object in the kernel, all its programs loaded. */
export interface LinuxObject {
  /** Nanoseconds of so many repetitions over one frame, set-up included, and r0 of the last. */
  time(program: string, repeat: number, frame: Uint8Array): Promise<{ ns: number; retval: number }>;
  /** Nanoseconds a packet, one system call each, of a capture (classic pcap) that lies in memory. */
  each(program: string, capture: string): Promise<number>;
  close(): Promise<void>;
}

/** Linux, asked by `oracle bench` (tools/kernel-oracle): BPF_PROG_TEST_RUN, nothing attached. */
export class Linux {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-bench-'));
  #files = 0;

  private constructor() {
    this.#process = spawn(ORACLE, ['bench'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  /** Linux, or why it cannot be asked. */
  static ask(): Linux | string {
    const available = kernelAvailable();
    return available === true ? new Linux() : available;
  }

  async open(
    file: string,
    mapInit: MapInit = {},
    entries: Readonly<Record<string, number>> = {},
  ): Promise<LinuxObject> {
    const sizes = Object.entries(entries).map(([map, count]) => `${map}=${count}`);
    const { object } = await this.#asked(['open', file, this.#initFile(mapInit), ...sizes].join(' '));
    return {
      time: async (program, repeat, frame) => {
        const { ns, retval } = await this.#asked(`time ${object} ${program} ${repeat} ${frame.toHex()}`);
        return { ns: ns!, retval: retval! };
      },
      each: async (program, capture) => {
        const { ns, packets } = await this.#asked(`each ${object} ${program} ${capture}`);
        return ns! / packets!;
      },
      close: async () => {
        await this.#asked(`close ${object}`);
      },
    };
  }

  end(): void {
    this.#process.stdin!.end();
    rmSync(this.#scratch, { recursive: true });
  }

  #initFile(mapInit: MapInit): string {
    const lines = mapInitLines(mapInit);
    if (lines === '') return '-';
    const path = join(this.#scratch, `${this.#files++}`);
    writeFileSync(path, lines);
    return path;
  }

  async #asked(question: string): Promise<Answer> {
    this.#process.stdin!.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the oracle ended');
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw new Error(`Linux, asked to ${question.slice(0, 100)}: ${answer.error}`);
    return answer;
  }
}
