import { describe, expect, it } from 'vitest';
import type { Random } from '../../src/base/random.ts';
import { seededRandom } from '../../src/base/random.ts';
import { Instance, type InstanceOptions } from '../../src/engine/instance.ts';
import { ProgramRefused } from '../../src/engine/refused.ts';
import { frameOf } from '../../src/runtime/helpers/test-host.ts';
import { type DynptrProgram, objectOf, programOf, RAW_MAPS, SECOND, steps } from './dynptr-programs.ts';
import { forKernel } from './kernel-btf.ts';
import { askRaw, kernelAvailable, type RawAnswer } from './oracle.ts';

const SEED = 11;

/** Linux's answers; it keeps the maps from one program to the next. */
function linux(programs: readonly DynptrProgram[]): RawAnswer[] {
  const questions = programs.map((each) => {
    const program = programOf(each);
    return { type: each.type, instructions: forKernel(program), data: frameOf(each.size) };
  });
  return askRaw(questions, RAW_MAPS);
}

const ENGINES: readonly InstanceOptions[] = [
  { engine: 'interpreter' },
  { engine: 'jit' },
  { engine: 'jit', sanitize: true },
  { engine: 'interpreter', verify: false },
];

/** Ours, where all engines say the same; else what each says. */
function ours(program: DynptrProgram): string {
  const answers = new Set(ENGINES.map((options) => answer(program, options)));
  return [...answers].join(' or ');
}

function answer(program: DynptrProgram, options: InstanceOptions): string {
  try {
    const instance = new Instance(objectOf(program), { ...options, maxMemory: 1 << 22 });
    const bytes = frameOf(program.size);
    const frame = { bytes, start: 0, end: bytes.length, originalLength: bytes.length, seconds: 0, nanoseconds: 0 };
    const { error, retval, outStart, outEnd } = instance.runPacket(frame);
    return error === null ? told(retval, instance.memory.u8.subarray(outStart, outEnd).toHex()) : error.message;
  } catch (error) {
    if (error instanceof ProgramRefused) return 'refused';
    throw error;
  }
}

const told = (retval: number, out: string) => `${retval} ${out}`;

function differences(programs: readonly DynptrProgram[], answers: readonly RawAnswer[]): string[] {
  return programs.flatMap((program, i) => {
    const { verdict, retval, out, error } = answers[i]!;
    const theirs = verdict === 'reject' ? 'refused' : (error ?? told(retval!, out!));
    const here = ours(program);
    return here === theirs
      ? []
      : [`${program.text}\n${program.type}, ${program.size} bytes: ${here}; Linux: ${theirs}`];
  });
}

/** Two dynptrs, to the packet and to a map's value, and then this and that done with them. */
function randomProgram({ below }: Random): DynptrProgram {
  const of = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const type = of(['xdp', 'xdp+frags', 'xdp+frags', 'sched_cls', 'socket_filter', 'cgroup_skb']);
  const isXdp = type.startsWith('xdp');
  const size = of(isXdp ? [98, 3520, 3600, 9000, 70_000] : [98, 3712]);
  const packet = isXdp ? size : type === 'sched_cls' ? size : size - 14;
  const flags = () => of([0, 0, 0, 0, 0, 1]);
  const at = () => of([-16, SECOND]);
  const offset = () => of([0, 1, 14, 50, packet - 48, packet - 8, packet, 3500, 3519, 3520, 7610, 7616, 65_530]);
  const length = () => of([1, 4, 16, 20, 48]);
  const long = () => of([0, 16, 40, 48, 300, 600, packet]);
  const writes = isXdp || type === 'sched_cls';
  const step = (): string =>
    of<() => string>([
      () => steps.read(offset(), length(), flags(), at()),
      () => steps.write(offset(), length(), flags(), at()),
      () => steps.slice(offset(), length(), { buffer: below(3) > 0, at: at() }),
      () => steps.slice(offset(), length(), { buffer: below(3) > 0, at: at(), rdwr: writes }),
      () => steps.slice(offset(), 16, { buffer: true, at: -16, rdwr: writes }),
      () => steps.data(of([0, 5, 60]), length(), at()),
      () => steps.copy(offset(), offset(), long(), at(), at()),
      () => steps.set(offset(), long(), below(300), at()),
      () => steps.adjust(of([0, 3, 20, 100]), of([0, 20, 64, packet - 1, packet]), at()),
      () => steps.ask(of(['size', 'is_null', 'is_rdonly'] as const), at()),
      () => (isXdp ? steps.move(of(['head', 'tail'] as const), of([-40, -8, 8, 20])) : steps.ask('size')),
    ])();
  const start = [
    steps.from(isXdp ? 'xdp' : 'skb', flags()),
    of([() => steps.fromValue(of([8, 48, 64]), flags(), SECOND), () => steps.clone()])(),
  ];
  return steps.program(type, [...start, ...Array.from({ length: 1 + below(6) }, step)], size);
}

const available = kernelAvailable();

describe.skipIf(available !== true)(`dynptrs as in Linux${available === true ? '' : ` (${available})`}`, () => {
  it(`whatever is done with those to packets and values (seed ${SEED})`, () => {
    const random = seededRandom(SEED);
    const programs = Array.from({ length: 200 }, () => randomProgram(random));
    const answers = linux(programs);
    expect(differences(programs, answers)).toEqual([]);
    expect(answers.filter(({ verdict }) => verdict === 'accept').length).toBeGreaterThan(150);
  });

  it('numeric iterators: what they take, and what they give', () => {
    const bounds = [[0, 5], [-3, 3], [5, 5], [5, 4], [0, 1 << 23], [0, (1 << 23) + 1], [-(2 ** 31), 2 ** 31 - 1], [-(2 ** 31), -(2 ** 31) + 2], [2 ** 31 - 3, 2 ** 31 - 1]]; // biome-ignore format: a list
    const programs = bounds.map(([start, end]) => ({ type: 'xdp', size: 98, text: steps.iterate(start!, end!) }));
    expect(differences(programs, linux(programs))).toEqual([]);
  });

  it('a kernel function has an address, so that a program that asks whether it is there is told so', () => {
    const text = 'r1 = ksym[bpf_dynptr_slice] ll\nr0 = 3\nif r1 == 0 goto e\nr0 = 4\ne: exit';
    const programs = [{ type: 'xdp', size: 98, text }];
    expect(differences(programs, linux(programs))).toEqual([]);
  });

  it.each([
    ['submitted', [steps.reserve(40), steps.write(8, 16), steps.data(0, 8), steps.end('submit'), steps.position]],
    ['discarded', [steps.reserve(40), steps.read(8, 16), steps.end('discard'), steps.position]],
    [
      'adjusted first',
      [steps.reserve(40), steps.adjust(8, 24), steps.write(0, 16), steps.end('submit'), steps.position],
    ],
    ['flags', [steps.reserve(40, 1), steps.ask('is_null'), steps.end('submit'), steps.position]],
    ['more than the ring', [steps.reserve(4096), steps.write(0, 8), steps.end('discard'), steps.position]],
    ['more than a dynptr', [steps.reserve(1 << 24), steps.end('submit'), steps.position]],
    [
      'copied to',
      [steps.reserve(40), steps.from('xdp', 0, SECOND), steps.copy(0, 20, 40, -16, SECOND), steps.end('submit')],
    ],
  ])('records of a ring buffer: %s', (_, list) => {
    // The next would find the records of the one before.
    const programs = [steps.program('xdp', list)];
    expect(differences(programs, linux(programs))).toEqual([]);
  });
});
