import type { Section } from '../section.ts';
import { besideUbpf } from './beside-ubpf.ts';
import { coldStart } from './cold-start.ts';
import { commandLine } from './command-line.ts';
import { mapOperations } from './map-operations.ts';
import { memory } from './memory.ts';
import { replay } from './replay.ts';
import { runCost } from './run-cost.ts';
import { verification } from './verification.ts';
import { workers } from './workers.ts';

export const SECTIONS: readonly Section[] = [
  runCost,
  besideUbpf,
  replay,
  workers,
  coldStart,
  verification,
  memory,
  mapOperations,
  commandLine,
];
