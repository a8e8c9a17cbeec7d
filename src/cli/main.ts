import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { startThread } from '../replay/threads/threads.ts';

/** As many as `run --workers` asks for beside this one, and as there are processors for: they load while this one does. */
function threadsWanted(): number {
  const { values, positionals } = parseArgs({
    options: { workers: { type: 'string' } },
    strict: false,
    allowPositionals: true,
  });
  const workers = positionals[0] === 'run' ? Number(values.workers) : 1;
  return Number.isInteger(workers) ? Math.min(workers, availableParallelism()) - 1 : 0;
}

const threads = Array.from({ length: threadsWanted() }, startThread);
// The commands need all there is, which is loaded only now.
const { main } = await import('./commands.ts');
await main(threads);
