import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { NetworkDescription } from '../../src/engine/network/network.ts';
import { askOf, instanceOf } from '../../src/runtime/helpers/test-host.ts';
import { type Asked, fibAnswer, fibFrame, fibInstructions, fibProgram } from './fib.ts';
import { describeNamespace, makeNamespace, removeNamespace } from './fib-network.ts';
import { diceOf, randomNetwork, randomQuestion } from './fib-random.ts';
import { askRaw, kernelAvailable } from './oracle.ts';

const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
const NOT_EVERYWHERE = [
  'net.ipv4.conf.a1.forwarding=0', 'net.ipv6.conf.a2.forwarding=0', 'net.ipv4.conf.a4.ignore_routes_with_linkdown=1',
  'net.ipv6.conf.default.ignore_routes_with_linkdown=1',
]; // biome-ignore format: a list
const QUESTIONS = 400;
/** Which of several next hops Linux takes is its secret: it must be one that some seed takes. */
const SEEDS = 30;

const available = kernelAvailable();
const missing =
  available !== true ? available : spawnSync('ip', ['-V']).status === 0 ? undefined : 'iproute2 is not installed';

type Types = 'xdp' | 'sched_cls';

/** Answers by seed, on both engines. */
function answersOf(network: NetworkDescription | undefined) {
  const made = new Map<string, ReturnType<typeof instanceOf>>();
  return (question: Asked, seed: number) => {
    const { type } = question;
    const instance = made.getOrInsertComputed(`${type} ${seed}`, () => {
      const engine = (seed % 2 === 0) === (type === 'xdp') ? 'jit' : 'interpreter';
      const options = { engine, seed, sanitize: true, maxMemory: 2 ** 24, ...(network && { network }) } as const;
      return instanceOf({ type, text: fibProgram(type), options });
    });
    const { result, out } = askOf(instance, fibFrame(question));
    return fibAnswer(result.retval, out);
  };
}

function differences(questions: readonly Asked[], namespace: string, network: NetworkDescription | undefined) {
  const instructions: Record<Types, Uint8Array> = {
    xdp: fibInstructions('xdp'),
    sched_cls: fibInstructions('sched_cls'),
  };
  const theirs = askRaw(
    questions.map((each) => ({ type: each.type, instructions: instructions[each.type], data: fibFrame(each) })),
    [],
    namespace,
  ).map(({ retval, out }) => fibAnswer(retval!, Uint8Array.fromHex(out!)));
  const ours = answersOf(network);
  const wrong = questions.flatMap((question, i) => {
    const linux = JSON.stringify(theirs[i]);
    const first = ours(question, 0);
    const isThere = (seed: number): boolean =>
      seed < SEEDS && (JSON.stringify(ours(question, seed)) === linux || isThere(seed + 1));
    return isThere(0) ? [] : [{ question, linux: theirs[i], ours: first }];
  });
  return { wrong, codes: new Set(theirs.map(({ retval }) => retval)) };
}

describe.skipIf(missing !== undefined)(`bpf_fib_lookup as Linux answers it${missing ? ` (${missing})` : ''}`, () => {
  const inNamespace = (
    name: string,
    commands: readonly string[],
    settings: readonly string[],
    ask: (name: string) => void,
  ) => {
    const namespace = `bpfreplay-${process.pid}-${name}`;
    try {
      makeNamespace(namespace, commands, settings);
      ask(namespace);
    } finally {
      removeNamespace(namespace);
    }
  };

  it('in a new network namespace, which is what it is without a network', () => {
    const dice = diceOf(seededRandom(1));
    const questions = Array.from({ length: QUESTIONS }, () => randomQuestion(dice, [1, 1, 2]));
    inNamespace('new', [], [], (namespace) => {
      const { wrong, codes } = differences(questions, namespace, undefined);
      expect(wrong).toEqual([]);
      expect(codes).toEqual(new Set([-19, 4, 5]));
    });
  });

  it('takes no struct that is too short', () => {
    const question = { type: 'xdp', ifindex: 1 } as const;
    for (const size of [63, 8]) {
      const [theirs] = askRaw([{ type: 'xdp', instructions: fibInstructions('xdp', size), data: fibFrame(question) }]);
      const { result } = askOf(instanceOf({ text: fibProgram('xdp', size) }), fibFrame(question));
      expect(result.retval).toBe(theirs!.retval);
    }
  });

  it.each([
    { seed: 11, rules: false, settings: FORWARDING },
    { seed: 12, rules: false, settings: [...FORWARDING, ...NOT_EVERYWHERE] },
    { seed: 21, rules: true, settings: FORWARDING },
    { seed: 23, rules: true, settings: FORWARDING },
    { seed: 47, rules: true, settings: [...FORWARDING, 'net.ipv4.conf.all.ignore_routes_with_linkdown=1'] },
  ])('in a random network, seed $seed, rules $rules', ({ seed, rules, settings }) => {
    const dice = diceOf(seededRandom(seed));
    inNamespace(`random-${seed}`, randomNetwork(dice, { rules }), settings, (namespace) => {
      const network = describeNamespace(namespace);
      const indices = (network.links as { ifindex: number }[]).map(({ ifindex }) => ifindex);
      const questions = Array.from({ length: QUESTIONS }, () => randomQuestion(dice, indices));
      const { wrong, codes } = differences(questions, namespace, network);
      expect(wrong.slice(0, 5)).toEqual([]);
      for (const code of [0, 4, 7, 8]) expect(codes).toContain(code);
    });
  });
});
