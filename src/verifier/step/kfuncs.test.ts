import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { judge } from '../cases.ts';
import { kfuncCases } from './kfuncs.cases.ts';

describe('kernel functions, dynptrs', () => {
  it.each(kfuncCases)('%s', (_, type, text, verdict) => expect(judge(catalogue, type, text)).toBe(verdict));
});
