/** The daemon as a process of its own, for what must be seen from outside: tests and the crash script. */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

const BIN = new URL('../bin/bpfreplay.js', import.meta.url).pathname;

export interface Daemon {
  readonly url: string;
  readonly pid: number;
  readonly stdin: Writable;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Sends the signal and resolves with the exit code (null: it was killed) when the process has ended. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Resolves when it listens; rejects with what it wrote when it ends before. */
export async function startDaemon(
  data: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  /** What starts it in another place, and becomes it: `ip netns exec NAME`. */
  through: readonly string[] = [],
): Promise<Daemon> {
  const [command, ...rest] = [...through, process.execPath, BIN, 'serve', '--port', '0', '--data', data, ...args];
  const child = spawn(command!, rest, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  let log = '';
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
      const found = /"url":"([^"]+)"/.exec(log);
      if (found !== null) resolve(found[1]!);
    });
    void ended.then((code) => reject(new DaemonEnded(code, log)));
  });
  return {
    url,
    pid: child.pid!,
    stdin: child.stdin,
    log: () => log,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** The daemon ended before it listened. */
export class DaemonEnded extends Error {
  override readonly name = 'DaemonEnded';
  readonly exitCode: number | null;
  readonly log: string;

  constructor(exitCode: number | null, log: string) {
    super(`the daemon ended with ${exitCode}: ${log}`);
    this.exitCode = exitCode;
    this.log = log;
  }
}
