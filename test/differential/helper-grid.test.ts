import { describe, expect, it } from 'vitest';
import {
  argumentQuestions,
  bareQuestions,
  callableHere,
  callableInLinux,
  differences,
  recordedGrid,
  recordGrid,
  takenByLinux,
  takenByUs,
} from './helper-grid.ts';
import { kernelAvailable } from './oracle.ts';

const kernel = kernelAvailable();
/** `UPDATE_GRID=1` asks the kernel and writes the record anew. */
const recorded = process.env.UPDATE_GRID === undefined ? recordedGrid() : recordGrid();
const bare = bareQuestions();
const calls = argumentQuestions();

/**
 * Helpers for sleepable programs, which networking programs are not: Linux says so where they are called. And where
 * bpf_get_cgroup_classid is about the current task, Linux takes anything for its argument; the declaration in
 * bpf_helpers.h makes programs hand over the context.
 */
const KNOWN = /: (copy_from_user|copy_from_user_task)$|: get_cgroup_classid: 1 is /;
const unknown = (names: readonly string[]) => names.filter((name) => !KNOWN.test(name));

describe('every helper from every type of program', () => {
  it('may be called where Linux lets it be called', () => {
    expect(unknown(differences(bare, recorded.callable, callableHere(bare)))).toEqual([]);
  });

  it('takes the arguments that Linux takes', () => {
    expect(unknown(differences(calls, recorded.taken, takenByUs(calls)))).toEqual([]);
  });

  it.skipIf(kernel !== true)('and Linux still says what was recorded', () => {
    expect(differences(bare, recorded.callable, callableInLinux(bare))).toEqual([]);
    expect(differences(calls, recorded.taken, takenByLinux(calls))).toEqual([]);
  });
});
