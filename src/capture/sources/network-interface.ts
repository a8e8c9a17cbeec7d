import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { OptionError } from '../../base/errors.ts';
import { type Attempt, begins, type SourceSink } from './source.ts';

export interface LiveCapture {
  readonly interface: string;
  /** In the language of pcap-filter(7); everything unless told. */
  readonly filter?: string;
  /** Most bytes of each packet; the tool's own bound, 262144, unless told. */
  readonly snapLength?: number;
  /** Also what is not for this machine. */
  readonly promiscuous?: boolean;
  /** Unless told, the first of `tcpdump` and `dumpcap` that is installed. */
  readonly tool?: ToolName;
}

export type ToolName = 'tcpdump' | 'dumpcap';

interface Tool {
  args(capture: LiveCapture): string[];
  /** Finds in a line of its standard error how many packets it lost since it started. */
  readonly dropped: RegExp;
  /** The signal at which it says so, and goes on; and what it writes once it listens to it. */
  readonly ask?: { readonly signal: NodeJS.Signals; readonly from: RegExp };
}

/** What each is told: see tcpdump(8) and dumpcap(1). No shell reads it. */
const TOOLS: Readonly<Record<ToolName, Tool>> = {
  tcpdump: {
    args: ({ interface: name, filter, snapLength, promiscuous }) => [
      ...['-i', name, '-U', '-w', '-'],
      ...(promiscuous === true ? [] : ['-p']),
      ...(snapLength === undefined ? [] : ['-s', String(snapLength)]),
      ...(filter === undefined ? [] : ['--', filter]),
    ],
    dropped: /(\d+) packets? dropped by kernel/,
    ask: { signal: 'SIGUSR1', from: /listening on/ },
  },
  dumpcap: {
    args: ({ interface: name, filter, snapLength, promiscuous }) => [
      ...['-q', '-i', name, '-w', '-'],
      ...(promiscuous === true ? [] : ['-p']),
      ...(snapLength === undefined ? [] : ['-s', String(snapLength)]),
      ...(filter === undefined ? [] : ['-f', filter]),
    ],
    dropped: /received\/dropped on interface .*: \d+\/(\d+)/,
  },
};

const ASK_EVERY = 1_000;
/** Both write the capture's header as soon as they listen. */
const LONGEST_START = 5_000;
/** For its last words, after which it is killed. */
const LONGEST_END = 2_000;
/** Kept of what it says. */
const MOST_WORDS = 4096;

/** Captures on a network interface by a child process: nobody else needs the right to. */
export function captureOn(capture: LiveCapture): Attempt {
  return async (sink, opened, signal) => {
    const names = capture.tool === undefined ? (Object.keys(TOOLS) as ToolName[]) : [capture.tool];
    for (const name of names) {
      const child = spawn(name, TOOLS[name].args(capture), {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH ?? '', LC_ALL: 'C' },
      });
      const { promise: started, resolve } = Promise.withResolvers<Error | undefined>();
      child.once('spawn', () => resolve(undefined));
      child.on('error', resolve);
      const error = (await started) as NodeJS.ErrnoException | undefined;
      if (error === undefined) return read(name, child, capture, sink, opened, signal);
      if (error.code !== 'ENOENT') throw new OptionError('no-capture-tool', `${name} cannot be run: ${error.message}`);
    }
    throw new OptionError(
      'no-capture-tool',
      `${names.join(' and ')} cannot be found on PATH; installing it would help`,
    );
  };
}

async function read(
  name: ToolName,
  child: ChildProcessByStdio<null, Readable, Readable>,
  capture: LiveCapture,
  sink: SourceSink,
  opened: () => void,
  signal: AbortSignal,
): Promise<void> {
  const words = listen(child, TOOLS[name], sink);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const timers: NodeJS.Timeout[] = [];
  const end = () => {
    child.kill('SIGINT');
    child.stdout.destroy();
    timers.push(setTimeout(() => child.kill('SIGKILL'), LONGEST_END));
  };
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  const silent = setTimeout(() => child.stdout.destroy(), LONGEST_START);
  try {
    if (await begins(child.stdout)) {
      clearTimeout(silent);
      opened();
      await sink.feed({ from: `${name} on ${capture.interface}`, bytes: child.stdout });
    }
    if (child.exitCode === null) end();
    await ended;
  } finally {
    signal.removeEventListener('abort', end);
    for (const timer of [silent, ...timers]) clearTimeout(timer);
  }
  if (signal.aborted) return;
  throw new OptionError('capture-tool-ended', `${name} on ${capture.interface} ended: ${words() || 'it said nothing'}`);
}

/** What they say when all is well. */
const NEWS = /listening on|^Capturing on|^File: |packets captured|received by filter|^$/i;

/** Reports what the tool drops as it tells it. Returns what gives its last words. */
function listen(child: ChildProcessByStdio<null, Readable, Readable>, tool: Tool, sink: SourceSink): () => string {
  let text = '';
  let said = '';
  let dropped = 0;
  let asking: NodeJS.Timeout | undefined;
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    const lines = (text + piece).split('\n');
    text = lines.pop()!.slice(-MOST_WORDS);
    for (const line of lines) {
      const found = tool.dropped.exec(line);
      if (found !== null) {
        const now = Number(found[1]);
        if (now > dropped) sink.dropped(now - dropped);
        dropped = Math.max(dropped, now);
      } else if (!NEWS.test(line)) {
        said = `${said} ${line.trim()}`.trimStart().slice(-MOST_WORDS);
      }
      // Not before: the signal would end it.
      if (tool.ask?.from.test(line) && asking === undefined) {
        const { signal } = tool.ask;
        asking = setInterval(() => child.kill(signal), ASK_EVERY);
      }
    }
  });
  child.once('close', () => clearInterval(asking));
  return () => `${said} ${text.trim()}`.trim();
}
