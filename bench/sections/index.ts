import type { Section } from '../section.ts';
import { runCost } from './run-cost.ts';

export const SECTIONS: readonly Section[] = [runCost];
