import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { judge } from '../cases.ts';
import { stackCases } from './stack.cases.ts';

describe('the stack', () => {
  it.each(stackCases)('%s', (_, type, text, verdict) => expect(judge(catalogue, type, text)).toBe(verdict));
});
