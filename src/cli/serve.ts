import type { Command } from 'commander';
import { wholeNumber } from './options.ts';

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the daemon: programs, captures and replays over HTTP')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 picks a free one', wholeNumber, 8787)
    .option('--data <dir>', 'where programs, captures and results are kept', './bpfreplay-data')
    .option('--pretty', 'log for people instead of JSON')
    .action(async (options: { host: string; port: number; data: string; pretty?: boolean }) => {
      // Loaded only here: the other commands do without the web framework.
      const { serve } = await import('../server/server.ts');
      await serve(options);
    });
}
