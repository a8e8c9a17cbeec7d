import type { Command } from 'commander';
import { byteSize, wholeNumber } from './options.ts';
import { input, interfaceName, portRange, type StreamOptions, sourcesOf } from './stream-options.ts';

interface ServeOptions extends StreamOptions {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly maxObject?: number;
  readonly maxCapture?: number;
  readonly workers?: number;
  readonly maxQueue?: number;
  readonly maxSeconds?: number;
  readonly drain?: number;
  readonly rate?: number;
  readonly tokenFile?: string;
  readonly readTokenFile?: string;
  readonly pretty?: boolean;
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the daemon: programs, captures, replays and streams over HTTP')
    .option('--host <address>', 'address to listen on; any but a loopback address needs a token', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 picks a free one', wholeNumber, 8787)
    .option('--data <dir>', 'where programs, captures and results are kept', './bpfreplay-data')
    .option('--max-object <size>', 'largest object that can be uploaded (default: 16M)', byteSize)
    .option('--max-capture <size>', 'largest capture that can be uploaded (default: 16G)', byteSize)
    .option('--workers <n>', 'replays at once, each in a thread of its own (default: 1)', wholeNumber)
    .option('--max-queue <n>', 'replays that may wait (default: 10000)', wholeNumber)
    .option('--token-file <file>', 'holds the bearer token that clients need (or: BPFREPLAY_TOKEN)')
    .option('--read-token-file <file>', 'holds one that may only read (or: BPFREPLAY_READ_TOKEN)')
    .option('--rate <n>', 'requests a second that one client may make; 0 is no bound (default: 1000)', wholeNumber)
    .option('--max-seconds <n>', 'seconds that a replay may run (default: as long as it takes)', wholeNumber)
    .option('--drain <seconds>', 'time that replays have to end on SIGTERM (default: 10)', wholeNumber)
    .option('--pretty', 'log for people instead of JSON')
    .action(async (options: ServeOptions) => {
      // Loaded only here: the other commands do without the web framework.
      const { serve } = await import('../server/server.ts');
      await serve({ ...options, sources: sourcesOf(options) });
    });
}
