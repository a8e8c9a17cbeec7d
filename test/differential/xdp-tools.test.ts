/**
 * The objects of Debian's package xdp-tools, which other people compiled and which are not part of this repository:
 * xdp-filter's programs, given rules that some packets of the captures meet, equal Linux.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { verifyProgram } from '../../src/engine/programs.ts';
import { loadObject } from '../../src/object/object.ts';
import { differenceFromKernel } from './answers.ts';
import { differencesFromGolden, goldenAnswer, notRecorded } from './golden.ts';
import { kernelAvailable } from './oracle.ts';
import { allCaptures, inOneRow, mutated, XDP_TOOLS, xdpTools } from './subjects.ts';

const captures = allCaptures();
const subjects = xdpTools();
const cases = subjects.flatMap((subject) =>
  subject.programs.map((program) => ({ name: subject.name, program, subject })),
);
const SEED = 7;
const available = kernelAvailable();
const why = available === true ? '' : ` (${available})`;

const missing = subjects.length === 0 ? ' (package xdp-tools is not installed)' : '';

describe.skipIf(missing !== '')(`objects of xdp-tools${missing}`, () => {
  it('all load, and the verifier takes each program of a type that it knows', () => {
    const files = existsSync(XDP_TOOLS) ? readdirSync(XDP_TOOLS).filter((file) => file.endsWith('.o')) : [];
    expect(files).toEqual(expect.arrayContaining(['xdp-dispatcher.o', 'xdpdump_bpf.o', 'xsk_def_xdp_prog.o']));
    for (const file of files) {
      const object = loadObject(readFileSync(join(XDP_TOOLS, file)));
      expect(object.programs.length, file).toBeGreaterThan(0);
      for (const spec of object.programs.filter(({ type }) => type === 'xdp')) {
        expect(verifyProgram(object, spec).verdict, `${file} ${spec.name}`).toMatchObject({ accepted: true });
      }
    }
  });

  it.for(cases)('$name $program: as Linux answered when it was recorded', ({ subject, program }, { skip }) => {
    const stale = notRecorded(subject);
    if (stale !== undefined) skip(`${stale}: another release of the package?`);
    expect(differencesFromGolden(subject, program, captures)).toEqual([]);
  });

  it.skipIf(available !== true).each(cases)(
    `$name $program: as the kernel here answers, also about mutated frames (seed ${SEED})${why}`,
    ({ subject, program }) => {
      const frames = inOneRow(captures);
      expect(differenceFromKernel(subject, program, [...frames, ...mutated(frames, SEED)])).toBeUndefined();
    },
  );

  const filters = cases.filter(({ name }) => name.startsWith('xdpfilt_'));
  it.for(filters)('$name drops some packets and passes others', ({ subject, program }, { skip }) => {
    if (notRecorded(subject) !== undefined) skip('nothing was recorded');
    const packets = captures.flatMap((capture) => goldenAnswer(subject, program, capture).packets);
    const [drop, pass] = ['1', '2'].map((code) => packets.filter((packet) => packet === code).length);
    expect(drop).toBeGreaterThan(50);
    expect(pass).toBeGreaterThan(50);
  });
});
