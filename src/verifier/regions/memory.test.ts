import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { judge } from '../cases.ts';
import { memoryCases } from './memory.cases.ts';

describe('packets, map values and records', () => {
  it.each(memoryCases)('%s', (_, type, text, verdict) => expect(judge(catalogue, type, text)).toBe(verdict));
});
