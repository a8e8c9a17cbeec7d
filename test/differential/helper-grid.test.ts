import { describe, expect, it } from 'vitest';
import {
  argumentQuestions,
  bareQuestions,
  callableHere,
  callableInLinux,
  differences,
  kfuncQuestions,
  kfuncsCallableHere,
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
const kfuncs = kfuncQuestions();

/**
 * Helpers for sleepable programs, which networking programs are not: Linux says so where they are called. And where
 * bpf_get_cgroup_classid is about the current task, Linux takes anything for its argument; the declaration in
 * bpf_helpers.h makes programs hand over the context.
 */
const KNOWN = /: (copy_from_user|copy_from_user_task)$|: get_cgroup_classid: 1 is /;
/** Those whose context is another's: Linux then takes memory of that size for it, which is of no use. */
const ANOTHER_CONTEXT = /^xdp: bpf_skb_ct_|^sched_cls: bpf_xdp_ct_/;
const unknown = (names: readonly string[]) => names.filter((name) => !KNOWN.test(name));

describe('every helper from every type of program', () => {
  it('may be called where Linux lets it be called', () => {
    expect(unknown(differences(bare, recorded.callable, callableHere(bare)))).toEqual([]);
  });

  it('takes the arguments that Linux takes', () => {
    expect(unknown(differences(calls, recorded.taken, takenByUs(calls)))).toEqual([]);
  });

  it('may be called where Linux lets it be called: kernel functions', () => {
    const different = differences(kfuncs, recorded.kfuncs, kfuncsCallableHere(kfuncs));
    expect(different.filter((name) => !ANOTHER_CONTEXT.test(name))).toEqual([]);
  });

  it.skipIf(kernel !== true)('and Linux still says what was recorded', () => {
    expect(differences(bare, recorded.callable, callableInLinux(bare))).toEqual([]);
    expect(differences(kfuncs, recorded.kfuncs, callableInLinux(kfuncs))).toEqual([]);
    expect(differences(calls, recorded.taken, takenByLinux(calls))).toEqual([]);
  });
});
