import { describe, expect, it } from 'vitest';
import type { KernelSymbol } from '../object/spec.ts';
import { assembleObject } from './read-object.ts';
import { loadRunnable } from './runnable.ts';
import { mapSpecOf } from './testing.ts';

const MAPS = [mapSpecOf({ name: 'counters', type: 2 })];

/** What is said when the program is loaded to be run; `kfunc[0]` in the text is `kfunc`. */
function load(text: string, kfunc: string, weak = false): string {
  const symbol: KernelSymbol = { name: kfunc, kind: 'kfunc', weak, btfId: null };
  const object = assembleObject(text.replaceAll('; ', '\n'), { type: 'xdp', maps: MAPS, license: 'GPL' });
  try {
    loadRunnable({ ...object, kernelSymbols: [symbol] }, undefined, true);
    return 'runs';
  } catch (error) {
    return (error as Error).message;
  }
}

const LENGTH = '*(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; call kfunc[0]; r0 = 2; exit';

describe('a program that is accepted and cannot run is refused by name, before the first packet', () => {
  it.each([
    ['a kernel function', LENGTH, 'bpf_strlen', false, /kernel function bpf_strlen at instruction 3/],
    ['one that may be missing', LENGTH, 'bpf_strlen', true, /kernel function bpf_strlen/],
    ['a field of a map', 'r1 = map[counters] ll; r0 = *(u32 *)(r1 + 76); exit', '', false, /a structure of the kernel/],
    [
      'a helper',
      'r1 = map[counters] ll; r1 = 1; call bpf_get_current_pid_tgid; r0 = 2; exit',
      '',
      false,
      /bpf_get_current_pid_tgid/,
    ],
  ])('%s', (_, text, kfunc, weak, message) => expect(load(text, kfunc, weak)).toMatch(message));

  it('but one that calls what may be missing only where it is there runs', () => {
    const text = `r1 = ksym[0] ll; if r1 == 0 goto e; ${LENGTH.replace('r0 = 2; exit', '')} e: r0 = 2; exit`;
    expect(load(text, 'bpf_strlen', true)).toBe('runs');
  });
});
