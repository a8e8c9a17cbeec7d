import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { judge } from '../cases.ts';
import { callsCases } from './calls.cases.ts';

describe('helpers, references, functions', () => {
  it.each(callsCases)('%s', (_, type, text, verdict) => expect(judge(catalogue, type, text)).toBe(verdict));
});
