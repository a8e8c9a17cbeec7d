import type { Command } from 'commander';
import type { ServeOptions } from '../server/server.ts';
import { byteSize, count, duration, port, wholeNumber } from './options.ts';
import { input, interfaceName, portRange, type StreamOptions, sourcesOf } from './stream-options.ts';

type Options = StreamOptions & Omit<ServeOptions, 'sources'>;

const AFTER = `
Sizes are bytes, or have a unit: 512M, 16G. Times have a unit: 90s, 12h, 30d.

Examples:
  $ bpfreplay serve --pretty
  $ bpfreplay serve --data /var/lib/bpfreplay --workers 4 --keep-age 30d --keep-size 200G
  $ openssl rand -hex 32 > token && bpfreplay serve --host 0.0.0.0 --token-file token

The daemon describes itself at /docs and /v1/openapi.json; figures are at /metrics and /v1/stats.
docs/api.md walks through the API, docs/operating.md is for those who run it.`;

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the daemon: programs, captures, replays and streams over HTTP')
    .optionsGroup('Where:')
    .option('--host <address>', 'address to listen on; any but a loopback address needs a token', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 picks a free one', port, 8787)
    .option('--data <dir>', 'where programs, captures and results are kept', './bpfreplay-data')
    .optionsGroup('Who:')
    .option('--token-file <file>', 'holds the bearer token that clients need (or: BPFREPLAY_TOKEN)')
    .option('--read-token-file <file>', 'holds one that may only read (or: BPFREPLAY_READ_TOKEN)')
    .option('--rate <n>', 'requests a second that one client may make; 0 is no bound (default: 1000)', wholeNumber)
    .optionsGroup('How much:')
    .option('--max-object <size>', 'largest object that can be uploaded (default: 16M)', byteSize)
    .option('--max-capture <size>', 'largest capture that can be uploaded (default: 16G)', byteSize)
    .option('--workers <n>', 'replays at once, each in a thread of its own (default: 1)', count)
    .option('--max-queue <n>', 'replays that may wait (default: 10000)', wholeNumber)
    .option('--max-seconds <n>', 'seconds that a replay may run (default: as long as it takes)', count)
    .option('--max-recording <size>', 'most that a replay may record in a file (default: 16G)', byteSize)
    .optionsGroup('How long:')
    .option('--keep-age <time>', 'remove what is finished or unused for so long (default: never)', duration)
    .option('--keep-size <size>', 'remove the oldest when files take more (default: never)', byteSize)
    .option('--drain <seconds>', 'time that replays have to end on SIGTERM (default: 10)', wholeNumber)
    .optionsGroup('Streams, and what they may read beside what is sent to the daemon:')
    .option('--streams <n>', 'streams at once, each in a thread of its own (default: 16)', wholeNumber)
    .option('--stream-ports <range>', 'ports on which they may listen (default: 57012-57111)', portRange)
    .option('--stream-host <address>', 'address on which they listen; nobody is asked for a token (default: 127.0.0.1)')
    .option('--stream-input <name=path>', 'a named pipe that one may read; - is standard input; repeatable', input)
    .option('--stream-interface <name>', 'a network interface that they may capture on; repeatable', interfaceName)
    .optionsGroup('Log, on standard error:')
    .option('--pretty', 'for people instead of JSON')
    .addHelpText('after', AFTER)
    .action(async (options: Options) => {
      // Loaded only here: the other commands do without the web framework.
      const { serve } = await import('../server/server.ts');
      await serve({ ...options, sources: sourcesOf(options) });
    });
}
