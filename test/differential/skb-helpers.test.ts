import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SK_BUFF } from '../../src/abi/context.ts';
import { fnv1a64 } from '../../src/base/fnv.ts';
import { ask, assembleQuestion } from '../../src/runtime/helpers/test-host.ts';
import { askRaw, kernelAvailable, type RawAnswer } from './oracle.ts';
import { FRAMES } from './skb-frames.ts';
import { GROUPS, type Question } from './skb-questions.ts';

/**
 * Each program runs here and is compared with what Linux 6.18 answered when it was recorded, and with the kernel itself
 * where there is one to ask. `RECORD=1` records its answers anew.
 */
const GOLDEN = new URL('golden/skb-helpers.json', import.meta.url);

interface Golden {
  /** Hash of the questions that were answered. */
  readonly questions: string;
  /** Hash of each answer, in order. */
  readonly answers: string;
}

interface Answer {
  readonly retval: number;
  readonly out: string;
  /** mark, priority, cb and tstamp: what the kernel gives back of a context. */
  readonly seen: string;
}

const available = kernelAvailable();
const recording = process.env.RECORD === '1';
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

function here(question: Question): Answer {
  const { instance, result, out } = ask({ type: question.type, text: question.text, frame: FRAMES[question.frame] });
  const context = hex(instance.memory.u8.subarray(instance.context, instance.context + SK_BUFF.size));
  return { retval: result.retval, out: hex(out), seen: seenOf(context) };
}

function inLinux(questions: readonly Question[]): Answer[] {
  const ctx = new Uint8Array(SK_BUFF.size);
  const asked = questions.map((question) => ({
    type: question.type,
    instructions: assembleQuestion({ type: question.type, text: question.text }),
    data: FRAMES[question.frame],
    ctx,
  }));
  return askRaw(asked).map((answer: RawAnswer, i) => {
    expect(answer, questions[i]!.text).toMatchObject({ verdict: 'accept' });
    return { retval: answer.retval!, out: answer.out!, seen: seenOf(answer.ctx_out!) };
  });
}

/** 32 bits an answer keep the file small. */
const digest = (answer: Answer) => fnv1a64(Buffer.from(JSON.stringify(answer))).slice(0, 8);
const digestOf = (questions: readonly Question[]) => fnv1a64(Buffer.from(JSON.stringify(questions)));

const golden = recording ? {} : (JSON.parse(readFileSync(GOLDEN, 'utf8')) as Record<string, Golden>);

describe('helpers on an sk_buff', () => {
  describe.each(Object.entries(GROUPS))('%s', (name, questions) => {
    const place = (question: Question) => ({ frame: question.frame, type: question.type, text: question.text });

    it.skipIf(recording)('answer as Linux did', () => {
      const { questions: asked, answers } = golden[name]!;
      expect(asked, 'other questions than those recorded: RECORD=1 npx vitest run skb-helpers').toBe(
        digestOf(questions),
      );
      const wrong = questions.flatMap((question, i) => {
        const ours = here(question);
        return digest(ours) === answers.slice(8 * i, 8 * i + 8) ? [] : [{ ...place(question), ours }];
      });
      expect(wrong.slice(0, 3)).toEqual([]);
    });

    it.skipIf(available !== true)('answer as Linux does', () => {
      const theirs = inLinux(questions);
      if (recording) {
        (golden as Record<string, Golden>)[name] = {
          questions: digestOf(questions),
          answers: theirs.map(digest).join(''),
        };
        writeFileSync(GOLDEN, `${JSON.stringify(golden, null, 2)}\n`);
        return;
      }
      const wrong = questions.flatMap((question, i) => {
        const ours = here(question);
        return digest(ours) === digest(theirs[i]!) ? [] : [{ ...place(question), ours, theirs: theirs[i] }];
      });
      expect(wrong.slice(0, 3)).toEqual([]);
    });
  });
});
