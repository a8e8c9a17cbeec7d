import type { Section } from '../section.ts';
import { besideUbpf } from './beside-ubpf.ts';
import { mapOperations } from './map-operations.ts';
import { replay } from './replay.ts';
import { runCost } from './run-cost.ts';

export const SECTIONS: readonly Section[] = [runCost, besideUbpf, replay, mapOperations];
