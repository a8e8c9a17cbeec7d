import { expect, it } from 'vitest';
import { requestedRange } from './ranges.ts';

// RFC 9110, section 14.1.2, of a file of 1000 bytes.
it.each([
  ['bytes=0-499', { start: 0, end: 499 }],
  ['bytes=500-', { start: 500, end: 999 }],
  ['bytes=-200', { start: 800, end: 999 }],
  ['bytes=-2000', { start: 0, end: 999 }],
  ['bytes=990-2000', { start: 990, end: 999 }],
  ['bytes=999-999', { start: 999, end: 999 }],
  ['bytes=1000-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=-', undefined],
  ['bytes=5-4', undefined],
  ['bytes=0-1,5-6', undefined],
  ['packets=0-1', undefined],
  [undefined, undefined],
])('%s', (header, range) => expect(requestedRange(header, 1000)).toEqual(range));

it('no byte of an empty file can be had', () => {
  for (const header of ['bytes=0-', 'bytes=-5']) expect(requestedRange(header, 0)).toBe('unsatisfiable');
});
