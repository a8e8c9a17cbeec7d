import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { SK_BUFF } from '../../src/abi/context.ts';
import { fnv1a64 } from '../../src/base/fnv.ts';
import { ask, askOf, assembleQuestion, instanceOf } from '../../src/runtime/helpers/test-host.ts';
import { askRaw, kernelAvailable, type RawAnswer } from './oracle.ts';
import { FLOWS } from './skb-flows.ts';
import { FRAMES } from './skb-frames.ts';
import type { Question } from './skb-program.ts';
import { GROUPS } from './skb-questions.ts';

/**
 * Each program runs here and is compared with what Linux 6.18 answered when it was recorded, and with the kernel itself
 * where there is one to ask. `RECORD_GOLDEN=1 npx vitest run test/differential/skb-helpers.test.ts`
 * records its answers anew.
 */
const GOLDEN = new URL('golden/skb-helpers.json', import.meta.url);

interface Recorded {
  /** Hash of the questions that were answered. */
  readonly questions: string;
  /** Eight hex digits of a hash of each answer, in order. */
  readonly answers: string;
}

interface Golden {
  readonly groups: Record<string, Recorded>;
  /** Names of frames whose flow hash was the same. */
  flows: string[][];
}

interface Answer {
  readonly retval: number;
  readonly out: string;
  /** mark, priority, cb and tstamp: what the kernel gives back of a context. */
  readonly seen: string;
}

const available = kernelAvailable();
const recording = process.env.RECORD_GOLDEN !== undefined;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** Offset and size of the fields that come back. */
const GIVEN_BACK = [
  [8, 4],
  [32, 4],
  [48, 20],
  [152, 8],
] as const;

function seenOf(context: string): string {
  return GIVEN_BACK.map(([offset, size]) => context.slice(2 * offset, 2 * (offset + size))).join(' ');
}

const programOf = ({ type, text }: Question) => `${type} ${text}`;

/** One instance of each program, which meets its frames one after the other. */
function here(questions: readonly Question[]): Answer[] {
  const answers = new Map<Question, Answer>();
  for (const asked of Map.groupBy(questions, programOf).values()) {
    const { type, text } = asked[0]!;
    const instance = instanceOf({ type, text });
    for (const question of asked) {
      const { result, out } = askOf(instance, FRAMES[question.frame]);
      const context = hex(instance.memory.u8.subarray(instance.context, instance.context + SK_BUFF.size));
      answers.set(question, { retval: result.retval, out: hex(out), seen: seenOf(context) });
    }
  }
  return questions.map((question) => answers.get(question)!);
}

function inLinux(questions: readonly Question[]): Answer[] {
  const ctx = new Uint8Array(SK_BUFF.size);
  const programs = new Map<string, Uint8Array>();
  const asked = questions.map((question) => {
    const { type, text, frame } = question;
    const instructions = programs.getOrInsertComputed(programOf(question), () => assembleQuestion({ type, text }));
    return { type, instructions, data: FRAMES[frame], ctx };
  });
  return askRaw(asked).map((answer: RawAnswer, i) => {
    expect(answer, questions[i]!.text).toMatchObject({ verdict: 'accept' });
    return { retval: answer.retval!, out: answer.out!, seen: seenOf(answer.ctx_out!) };
  });
}

/** 32 bits an answer keep the file small. */
const digest = (answer: Answer) => fnv1a64(Buffer.from(JSON.stringify(answer))).slice(0, 8);
const digestOf = (questions: readonly Question[]) => fnv1a64(Buffer.from(JSON.stringify(questions)));

const golden: Golden = recording ? { groups: {}, flows: [] } : (JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden);
afterAll(() => {
  if (recording) writeFileSync(GOLDEN, `${JSON.stringify(golden, null, 2)}\n`);
});

describe('helpers on an sk_buff', () => {
  describe.each(Object.entries(GROUPS))('%s', (name, questions) => {
    let answers: Answer[] | undefined;
    const ours = () => (answers ??= here(questions));
    const place = (question: Question) => ({ frame: question.frame, type: question.type, text: question.text });

    it.skipIf(recording)('answer as Linux did', () => {
      const { questions: asked, answers: recorded } = golden.groups[name]!;
      expect(asked, 'other questions than those recorded: record them anew').toBe(digestOf(questions));
      const wrong = ours().flatMap((answer, i) =>
        digest(answer) === recorded.slice(8 * i, 8 * i + 8) ? [] : [{ ...place(questions[i]!), ours: answer }],
      );
      expect(wrong.slice(0, 3)).toEqual([]);
    });

    it.skipIf(available !== true)('answer as Linux does', () => {
      const theirs = inLinux(questions);
      if (recording) {
        golden.groups[name] = { questions: digestOf(questions), answers: theirs.map(digest).join('') };
        return;
      }
      const wrong = ours().flatMap((answer, i) =>
        digest(answer) === digest(theirs[i]!) ? [] : [{ ...place(questions[i]!), ours: answer, theirs: theirs[i] }],
      );
      expect(wrong.slice(0, 3)).toEqual([]);
    });
  });
});

describe('the flow hash', () => {
  const names = Object.keys(FLOWS) as (keyof typeof FLOWS)[];
  const program = { type: 'sched_cls', text: 'call bpf_get_hash_recalc\n exit' };

  /** Lists of frames with the same hash. */
  function sameFlows(hashes: readonly number[]): string[][] {
    return [...Map.groupBy(names, (_, i) => hashes[i]!).values()].filter((list) => list.length > 1);
  }
  const ours = () => sameFlows(names.map((name) => ask({ ...program, frame: FLOWS[name] }).result.retval));

  it.skipIf(recording)('tells the flows apart that Linux told apart', () => {
    expect(ours()).toEqual(golden.flows);
  });

  it.skipIf(available !== true)('tells the flows apart that Linux tells apart', () => {
    const instructions = assembleQuestion(program);
    const asked = names.map((name) => ({ type: program.type, instructions, data: FLOWS[name] }));
    const theirs = sameFlows(askRaw(asked).map((answer) => answer.retval!));
    if (recording) golden.flows = theirs;
    else expect(ours()).toEqual(theirs);
  });
});
