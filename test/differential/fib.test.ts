import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { NetworkDescription } from '../../src/engine/network/network.ts';
import { askOf, instanceOf } from '../../src/runtime/helpers/test-host.ts';
import { type Asked, fibAnswer, fibFrame, fibInstructions, fibProgram } from './fib.ts';
import { describeNamespace, makeNamespace, removeNamespace } from './fib-network.ts';
import { diceOf, randomNetwork, randomQuestion } from './fib-random.ts';
import { askRaw, kernelAvailable } from './oracle.ts';

/** What Linux made of a packet in which a question lies; bytes in hex. */
interface Answered {
  readonly type: 'xdp' | 'sched_cls';
  readonly frame: string;
  readonly retval: number;
  readonly out: string;
}

/** A network and Linux's answers in it, so that they can be compared everywhere. */
interface Golden {
  readonly kernel: string;
  readonly network: NetworkDescription;
  readonly answers: readonly Answered[];
}

const GOLDEN = fileURLToPath(new URL('golden/fib.json', import.meta.url));

const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
const NOT_EVERYWHERE = [
  'net.ipv4.conf.a1.forwarding=0', 'net.ipv6.conf.a2.forwarding=0', 'net.ipv4.conf.default.ignore_routes_with_linkdown=1',
  'net.ipv6.conf.default.ignore_routes_with_linkdown=1',
]; // biome-ignore format: a list
const SCENARIOS = [
  { seed: 11, rules: false, settings: FORWARDING },
  { seed: 12, rules: false, settings: [...FORWARDING, ...NOT_EVERYWHERE] },
  { seed: 21, rules: true, settings: FORWARDING },
  { seed: 23, rules: true, settings: FORWARDING },
  { seed: 47, rules: true, settings: [...FORWARDING, 'net.ipv4.conf.all.ignore_routes_with_linkdown=1'] },
] as const;
const QUESTIONS = 400;
/** Which of several next hops Linux takes is its secret: it must be one that some seed takes. */
const SEEDS = 30;

const available = kernelAvailable();
const NEEDED = [['ip', '-V'], ['sysctl', '-V'], ['unshare', '-n', 'true']] as const; // biome-ignore format: a list
const lacking = NEEDED.find(([command, ...args]) => spawnSync(command, args).status !== 0);
const missing = available !== true ? available : lacking && `${lacking.join(' ')} does not work here`;

/** Does it in a namespace of its own. */
function inNamespace<T>(
  name: string,
  commands: readonly string[],
  settings: readonly string[],
  ask: (name: string) => T,
) {
  const namespace = `bpfreplay-${process.pid}-${name}`;
  try {
    makeNamespace(namespace, commands, settings);
    return ask(namespace);
  } finally {
    removeNamespace(namespace);
  }
}

function askLinux(questions: readonly Asked[], namespace: string): Answered[] {
  const instructions = { xdp: fibInstructions('xdp'), sched_cls: fibInstructions('sched_cls') };
  const raw = questions.map((each) => ({
    type: each.type,
    instructions: instructions[each.type],
    data: fibFrame(each),
  }));
  return askRaw(raw, [], namespace).map(({ retval, out }, i) => {
    const { type, data } = raw[i]!;
    return { type, frame: data.toHex(), retval: retval!, out: out! };
  });
}

function askInRandomNetwork({ seed, rules, settings }: (typeof SCENARIOS)[number], most: number) {
  const dice = diceOf(seededRandom(seed));
  return inNamespace(`random-${seed}`, randomNetwork(dice, { rules }), settings, (namespace) => {
    let network = describeNamespace(namespace);
    const indices = (network.links as { ifindex: number }[]).map(({ ifindex }) => ifindex);
    const questions = Array.from({ length: most }, () => randomQuestion(dice, indices));
    // Carriers and addresses come up behind the commands that ask for them: the answers are those of a network at rest.
    for (let attempt = 0; attempt < 20; attempt++) {
      const answers = askLinux(questions, namespace);
      const after = describeNamespace(namespace);
      if (isDeepStrictEqual(after, network)) return { network, answers };
      network = after;
    }
    throw new Error('the network does not come to rest');
  });
}

/** Those to which no seed gives Linux's answer. Both engines are asked, and every access is checked. */
function differences(network: NetworkDescription | undefined, answers: readonly Answered[]) {
  const made = new Map<string, ReturnType<typeof instanceOf>>();
  const ours = ({ type, frame }: Answered, seed: number) => {
    const instance = made.getOrInsertComputed(`${type} ${seed}`, () => {
      const engine = (seed % 2 === 0) === (type === 'xdp') ? 'jit' : 'interpreter';
      const options = { engine, seed, sanitize: true, maxMemory: 2 ** 24, ...(network && { network }) } as const;
      return instanceOf({ type, text: fibProgram(type), options });
    });
    const { result, out } = askOf(instance, Uint8Array.fromHex(frame));
    return fibAnswer(result.retval, out);
  };
  return answers.flatMap((each) => {
    const linux = fibAnswer(each.retval, Uint8Array.fromHex(each.out));
    const isThere = (seed: number): boolean =>
      seed < SEEDS && (JSON.stringify(ours(each, seed)) === JSON.stringify(linux) || isThere(seed + 1));
    return isThere(0) ? [] : [{ frame: each.frame, linux, ours: ours(each, 0) }];
  });
}

const codesOf = (answers: readonly Answered[]) => new Set(answers.map(({ retval }) => retval | 0));

// `RECORD_GOLDEN=1 npx vitest run test/differential/fib.test.ts` asks the kernel anew.
if (process.env.RECORD_GOLDEN !== undefined && missing === undefined) {
  const { network, answers } = askInRandomNetwork(SCENARIOS[2], QUESTIONS);
  const short = answers.filter(({ frame }) => frame.length < 200);
  const lines = short.map((answer) => JSON.stringify(answer)).join(',\n');
  const head = `"kernel":${JSON.stringify(release())},\n"network":${JSON.stringify(network)}`;
  writeFileSync(GOLDEN, `{${head},\n"answers":[\n${lines}\n]}\n`);
}

it.runIf(existsSync(GOLDEN))('bpf_fib_lookup answers as Linux did when it was recorded', () => {
  const { network, answers } = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden;
  expect(differences(network, answers)).toEqual([]);
  expect(codesOf(answers).size).toBeGreaterThan(6);
});

describe.skipIf(missing !== undefined)(`bpf_fib_lookup as Linux answers it${missing ? ` (${missing})` : ''}`, () => {
  it('in a new network namespace, which is what it is without a network', () => {
    const dice = diceOf(seededRandom(1));
    const questions = Array.from({ length: QUESTIONS }, () => randomQuestion(dice, [1, 1, 2]));
    const answers = inNamespace('new', [], [], (namespace) => askLinux(questions, namespace));
    expect(differences(undefined, answers)).toEqual([]);
    expect(codesOf(answers)).toEqual(new Set([-19, 4, 5]));
  });

  it('takes no struct that is too short', () => {
    const question = { type: 'xdp', ifindex: 1 } as const;
    for (const size of [63, 8]) {
      const [theirs] = askRaw([{ type: 'xdp', instructions: fibInstructions('xdp', size), data: fibFrame(question) }]);
      const { result } = askOf(instanceOf({ text: fibProgram('xdp', size) }), fibFrame(question));
      expect(result.retval).toBe(theirs!.retval);
    }
  });

  it.each(SCENARIOS)('in a random network, seed $seed, rules $rules', (scenario) => {
    const { network, answers } = askInRandomNetwork(scenario, QUESTIONS);
    expect(differences(network, answers).slice(0, 5)).toEqual([]);
    const codes = codesOf(answers);
    for (const code of [0, 4, 7, 8]) expect(codes).toContain(code);
  });
});
