/**
 * What is said to leave nothing behind (or nothing for other CPUs) may be run apart: the example programs over the
 * captures, by one instance and dealt out to several, answer the same.
 */
import { describe, expect, it } from 'vitest';
import { fnv1a64 } from '../../src/base/fnv.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { catalogue } from '../../src/engine/catalogue.ts';
import { Instance } from '../../src/engine/instance.ts';
import { selectProgram, verifyProgram } from '../../src/engine/programs.ts';
import { ProgramRefused } from '../../src/engine/refused.ts';
import {
  type Reach,
  type StateAcrossPackets,
  stateAcrossPackets,
} from '../../src/verifier/facts/state-across-packets.ts';
import type { Subject } from '../differential/answers.ts';
import { allCaptures, examples, inOneRow } from '../differential/subjects.ts';

const CPUS = 3;
const frames = inOneRow(allCaptures()).filter((_, index) => index % 3 === 0);
const cases = examples().flatMap((subject) =>
  subject.programs.map((program) => ({ name: subject.name, subject, program })),
);

function stateOf({ object }: Subject, program: string): StateAcrossPackets {
  const verified = verifyProgram(object, selectProgram(object, program));
  if (!verified.verdict.accepted) throw new ProgramRefused(program, verified.verdict.refusal);
  return stateAcrossPackets(verified.program, verified.verdict.facts, catalogue);
}

/** What CPU number `cpu` sees of the maps. */
function mapsOf({ maps }: Instance, cpu: number): string[] {
  return maps.map((map) => {
    const entries = [...map.entries()].map(({ key, value }) => {
      const own = value instanceof Uint8Array ? value : value[cpu]!;
      return `${key.toHex()}=${own.toHex()}`;
    });
    return `${map.spec.name}: ${entries.join(' ')}`;
  });
}

/** Answers by packet, and then maps by CPU; packet i goes to instance `deal(i)` and runs on CPU i modulo `CPUS`. */
function answers({ object, mapInit }: Subject, program: string, deal: (index: number) => number): string[] {
  const instances = Array.from({ length: CPUS }, () => new Instance(object, { program, mapInit, cpus: CPUS }));
  const packets = frames.map((frame: Frame, index) => {
    const instance = instances[deal(index)]!;
    instance.cpu = index % CPUS;
    const { verdict, redirect, outStart, outEnd, error } = instance.runPacket(frame);
    const sent = [...instance.events.splice(0), ...instance.emitted.splice(0)].map(({ bytes }) => fnv1a64(bytes));
    const out = fnv1a64(instance.memory.u8.subarray(outStart, outEnd));
    return JSON.stringify([verdict, redirect?.ifindex, redirect?.key, out, sent, error?.message]);
  });
  return [...packets, ...instances.flatMap((_, cpu) => mapsOf(instances[deal(cpu)]!, cpu))];
}

const together = () => 0;
const DEALT: Record<Exclude<Reach, 'shared'>, (index: number) => number> = {
  stateless: (index) => (index >> 2) % CPUS,
  'per-cpu': (index) => index % CPUS,
};

describe('programs whose packets can be run apart', () => {
  const apart = cases.flatMap(({ name, subject, program }) => {
    const { reach } = stateOf(subject, program);
    return reach === 'shared' ? [] : [{ name, subject, program, reach }];
  });

  it('are some of both kinds', () => {
    expect([...new Set(apart.map(({ reach }) => reach))].sort()).toEqual(['per-cpu', 'stateless']);
  });

  it.each(apart)('$name $program, $reach', ({ subject, program, reach }) => {
    expect(answers(subject, program, DEALT[reach])).toEqual(answers(subject, program, together));
  });
});
