import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { judge } from '../cases.ts';
import { aluCases } from './alu.cases.ts';

describe('registers and pointer arithmetic', () => {
  it.each(aluCases)('%s', (_, type, text, verdict) => expect(judge(catalogue, type, text)).toBe(verdict));
});
