import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { faultsThatMatter } from './faults.ts';

const strict = { additionalProperties: false };
const Source = Type.Union([
  Type.Object({ kind: Type.Literal('http') }, strict),
  Type.Object({ kind: Type.Literal('listen'), port: Type.Integer() }, strict),
  Type.Object({ kind: Type.Literal('connect'), host: Type.String(), port: Type.Integer() }, strict),
]);
const check = Compile(Type.Object({ program: Type.String(), source: Source }));

const faults = (value: unknown) =>
  faultsThatMatter(check.Errors(value) as never).map(({ instancePath, message }) => `${instancePath} ${message}`);

describe('faults of a value that is one of several, told apart by a constant', () => {
  it.each([
    ['the one that is meant', { kind: 'listen', port: 'x' }, ['/source/port must be integer']],
    ['what it lacks', { kind: 'connect', port: 1 }, ['/source must have required properties host']],
    ['which there are', { kind: 'carrier pigeon' }, ['/source/kind must be one of http, listen, connect']],
  ])('are those of %s', (_, source, expected) => {
    expect(faults({ program: 'p', source })).toEqual(expected);
    expect(faults({ program: 1, source })).toEqual(expect.arrayContaining(['/program must be string', ...expected]));
  });
});
