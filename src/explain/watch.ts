import type { Catalogue } from '../abi/catalogue.ts';
import type { Instance, PacketResult, Watcher } from '../engine/instance.ts';
import type { ExplainedRun } from './explanation.ts';
import { RunObserver } from './observer.ts';

/** Sees what the programs do with one packet: `watcher` is for the subject, `runs` tells once the packet has run. */
export function packetWatch(catalogue: Catalogue): {
  readonly watcher: Watcher;
  runs(result: Pick<PacketResult, 'error'>): ExplainedRun[];
} {
  const all: RunObserver[] = [];
  const watcher = (instance: Instance) => {
    const begin = () => {
      const run = new RunObserver(instance, catalogue, instance.program);
      all.push(run);
      return run;
    };
    let run: RunObserver | undefined;
    return (...[program, pc, frame, registers]: Parameters<ReturnType<Watcher>>) => {
      // A packet that is redirected back meets a program again.
      if (run === undefined || (run.isOver && pc === 0 && frame === 0)) run = begin();
      run.step(program, pc, frame, registers);
    };
  };
  return {
    watcher,
    // What ended in an error was the last one.
    runs: ({ error }) => all.map((run, index) => run.end(index === all.length - 1 ? error : null)),
  };
}
