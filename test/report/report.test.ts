import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  assembleObject,
  catalogue,
  decodeProgram,
  type ObjectSpec,
  type ProgramSpec,
  type Report,
  readObject,
  reportOf,
  reportText,
  stateLog,
  verifyProgram,
} from '../../src/index.ts';
import { EXPLANATIONS } from '../../src/verifier/report/codes.ts';
import { askRaw, kernelAvailable } from '../differential/oracle.ts';
import { refusalsDocument } from './document.ts';
import { assemblySubjects } from './subjects.ts';

const here = (name: string): URL => new URL(name, import.meta.url);
const object = readObject(readFileSync(here('refusals.bpf.o')));
const subjects = [...object.programs.map((spec) => ({ name: spec.name, object, spec })), ...assemblySubjects()];

function report(from: ObjectSpec, spec: ProgramSpec): Report {
  const { program, verdict } = verifyProgram(from, spec);
  if (verdict.accepted) throw new Error(`${spec.name} is accepted`);
  return reportOf(program, catalogue, verdict.refusal);
}

const reportNamed = (name: string): Report => {
  const subject = subjects.find((each) => each.name === name)!;
  return report(subject.object, subject.spec);
};

describe('what a newcomer is told', () => {
  // Read what changes here: the text is the product. `npx vitest run --project report -u` writes it anew.
  it.each(subjects)('$name', async ({ name, object: from, spec }) => {
    await expect(`${reportText(report(from, spec))}\n`).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  it('the object is built from the source beside it', () => {
    const source = readFileSync(here('refusals.bpf.c'), 'utf8').split('\n');
    const lines = object.programs
      .flatMap((program) => program.lines)
      .filter(({ file }) => file.endsWith('refusals.bpf.c'));
    expect(lines.length).toBeGreaterThan(100);
    for (const { line, text } of lines) expect(text).toBe(source[line - 1]);
  });
});

describe('what an expert is told', () => {
  it('every instruction that is followed, what it changes, and where a path branches off', () => {
    const text = 'r6 = *(u32 *)(r1 + 12)\nr0 = 1\nif r6 > 5 goto end\nr0 = r6\nend: exit';
    const small = assembleObject(text, { type: 'xdp', name: 'small' });
    const program = decodeProgram(small, small.programs[0]!);
    const lines: string[] = [];
    const onState = stateLog(program, catalogue, (line) => lines.push(line.trim()));
    verifyProgram(small, small.programs[0]!, undefined, { onState });
    expect(lines).toEqual([
      '0:  r6 = *(u32 *)(r1 + 12)',
      'r6 = any number of 32 bits',
      '1:  r0 = 1',
      'r0 = the number 1',
      '2:  if r6 > 5 goto +1',
      'r6 = a number from 0 to 5',
      '3:  r0 = r6',
      'r0 = a number from 0 to 5',
      '4:  exit',
      '-- the other way of instruction 2',
      'r6 = a number from 6 to 4294967295',
      '4:  exit',
    ]);
  });
});

describe('the subjects', () => {
  it.skipIf(kernelAvailable() !== true)('in assembly are refused by Linux too', () => {
    const questions = assemblySubjects().map(({ spec }) => ({ type: 'xdp', instructions: spec.instructions }));
    expect(askRaw(questions).map(({ verdict }) => verdict)).toEqual(questions.map(() => 'reject'));
  });
});

describe('what a machine is told', () => {
  it('the place, the register at fault and what led there', () => {
    const told = reportNamed('missing_bounds_check');
    expect(told).toMatchObject({
      code: 'packet-bounds',
      category: 'memory',
      at: { pc: 11, function: 'missing_bounds_check', instruction: 'r1 = *(u8 *)(r1 + 23)' },
      registers: [{ name: 'r1' }],
    });
    expect(told.path.flatMap(({ events }) => events.map(({ pc, kind }) => [pc, kind]))).toEqual([
      [2, 'write'],
      [5, 'learn'],
      [10, 'branch'],
    ]);
  });

  it('a way back through a loop of many rounds stays short, and the last round is told', () => {
    const told = reportNamed('index_in_a_loop');
    expect(told.pathLength).toBeGreaterThan(300);
    expect(told.path.length).toBeLessThan(8);
    expect(told.path.some(({ skipped, times }) => skipped > 200 && times > 60)).toBe(true);
    expect(told.registers[0]!.state).toBe('the stack address r10');
  });

  it('is the same when asked again, and plain data', () => {
    for (const { object: from, spec } of subjects.filter(({ name }) => name !== 'loop_too_long')) {
      const told = report(from, spec);
      expect(JSON.parse(JSON.stringify(told))).toEqual(report(from, spec));
      expect(told.path.length).toBeLessThanOrEqual(12);
    }
  });
});

describe('codes', () => {
  it('docs/refusals.md is made from the tables', async () => {
    await expect(refusalsDocument()).toMatchFileSnapshot('../../docs/refusals.md');
  });

  it('each has a title, a rule, an example and a help in plain words', () => {
    for (const { title, rule, example, help } of Object.values(EXPLANATIONS)) {
      expect(title).toMatch(/^[a-z0-9]/);
      expect(rule).toMatch(/^(r10|[A-Z]).*[.)]$/);
      expect(help).toMatch(/^[A-Z].*[.…)]$/);
      expect(example).not.toBe('');
    }
  });
});
