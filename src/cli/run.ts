import { readFileSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { type Command, Option } from 'commander';
import {
  Explained,
  explanationText,
  FATES,
  INSTANCE_DEFAULTS,
  Instance,
  type InstanceOptions,
  type MapDump,
  type MapInit,
  type NetworkDescription,
  OptionError,
  oneWorker,
  openRecording,
  Pipeline,
  packetRecord,
  Replay,
  type ReplaySinks,
  readObjectFile,
  replayShared,
  type Sharing,
  sharingOf,
  type Tally,
} from '../index.ts';
import { captureKind, readCapture, WHY_ONE_READS } from './capture.ts';
import { EXIT } from './exit.ts';
import { type ObjectOptions, withObject } from './object.ts';
import { byteSize, count, type Expectation, expectation, holds, wholeNumber } from './options.ts';
import { print, say } from './output.ts';
import { gather, type StageOptions, stagesOf } from './stages.ts';
import { mapsText, tallyText } from './tally-text.ts';

interface RunOptions extends Omit<InstanceOptions, 'mapInit' | 'network'>, ObjectOptions, StageOptions {
  readonly format: 'table' | 'json' | 'ndjson';
  readonly packets?: string;
  readonly events?: string;
  readonly write?: string;
  readonly maps?: boolean;
  readonly mapInit?: string;
  readonly network?: string;
  readonly expect?: readonly Expectation[];
  readonly workers: number;
  readonly relaxed?: boolean;
  readonly explain?: number;
}

export function addRun(program: Command, threads: readonly Worker[]): void {
  withObject(
    program.command('run').description('replay a capture through a program and tell what became of each packet'),
  )
    .argument('<capture>', 'pcap or pcapng file, as it is or compressed by gzip or zstd; - is standard input')
    .option('--program <name>', 'which program of the object')
    .option('--type <type>', "program type by libbpf's name, where the section does not say it (xdp, sched_cls …)")
    .addOption(new Option('--format <format>', 'what to print').choices(['table', 'json', 'ndjson']).default('table'))
    .option('--packets <file>', 'write one JSON line a packet')
    .option('--events <file>', 'write one JSON line a record sent to user space, and a traced line')
    .option('--write <file>', 'write the packets as they left, with their verdicts, as pcapng')
    .option('--maps', "print the maps' final contents")
    .option('--map-init <file>', 'JSON of initial map contents')
    .option('--network <file>', 'JSON of the interfaces, routes and neighbours, as ip -j prints them')
    .option('--seed <n>', 'seed of random numbers', wholeNumber, INSTANCE_DEFAULTS.seed)
    .option('--ifindex <n>', 'interface on which packets arrive', wholeNumber, INSTANCE_DEFAULTS.ifindex)
    .option('--cpus <n>', 'virtual CPUs; flows are spread over them', wholeNumber, INSTANCE_DEFAULTS.cpus)
    .addOption(
      new Option('--clock <clock>', 'what time a program reads')
        .choices(['capture', 'wall'])
        .default(INSTANCE_DEFAULTS.clock),
    )
    .option('--budget <n>', 'instructions that one packet may take', wholeNumber, INSTANCE_DEFAULTS.budget)
    .option('--max-memory <size>', 'bound on the memory of maps', byteSize, INSTANCE_DEFAULTS.maxMemory)
    .option('--expect <verdict=n>', 'exit 1 unless so many packets got the verdict; repeatable', expectation)
    .addOption(
      new Option(
        '--engine <engine>',
        'what runs the program; both give the same (default: jit, and interpreter with --no-verify)',
      ).choices(['interpreter', 'jit']),
    )
    .option('--tc-ingress <object[:program]>', 'what is passed goes through this program too; repeatable', gather)
    .option('--tc-egress <object[:program]>', 'and what tc redirects through this one; repeatable', gather)
    .option(
      '--workers <n>',
      'threads over which packets are spread where the program keeps nothing between them',
      count,
      1,
    )
    .option(
      '--relaxed',
      'lets workers share maps (with --cpus): what is kept where flows meet may differ from run to run',
    )
    .addOption(
      new Option('--explain <n>', 'tell why packet n of the capture, from 0, got its verdict, instead of the tally')
        .argParser(wholeNumber)
        .conflicts(['packets', 'events', 'write', 'maps', 'expect', 'workers']),
    )
    .option('--sanitize', 'jit: check each access, instead of trusting what the verifier proved')
    .option('--no-verify', 'run even what the verifier refuses; every access is checked all the same')
    .action((path, capture, options) => run(path, capture, options, threads));
}

async function run(path: string, capture: string, options: RunOptions, threads: readonly Worker[]): Promise<void> {
  const { format, btf } = options;
  if (options.relaxed === true && options.workers === 1)
    throw new OptionError('bad-option', '--relaxed lets workers share maps: it goes with --workers 2, or more');
  const { mapInit, network, ...rest } = options;
  const settings = {
    ...rest,
    ...(mapInit === undefined ? {} : { mapInit: readJson<MapInit>(mapInit) }),
    ...(network === undefined ? {} : { network: readJson<NetworkDescription>(network) }),
  };
  const object = readObjectFile({ object: path, btf });
  const stages = stagesOf({ ...options, path, object }, options, options);
  const subject =
    stages === undefined ? new Instance(object, { ...settings, ...seatOf(options) }) : new Pipeline(stages, settings);
  for (const { verdict } of options.expect ?? []) checkVerdict(subject, verdict);
  if (options.explain !== undefined) return explain(options.explain, subject, capture, format);
  let sharing = howShared(subject, capture, options);
  let done: { readonly tally: Tally; readonly maps: readonly MapDump[] } | undefined;
  if (subject instanceof Instance && sharing !== undefined && sharing.by !== null) {
    done = await replayShared(subject, { object: path, btf, capture, options: settings }, sharing, threads);
    if (done === undefined) sharing = oneWorker('the records of this capture cannot be dealt out');
  }
  // Those that nothing came of.
  for (const thread of threads) void thread.terminate();
  done ??= { tally: await alone(subject, capture, options), maps: options.maps === true ? subject.dumpMaps() : [] };

  const { tally } = done;
  const { desk } = subject;
  const maps =
    options.maps === true ? { maps: done.maps.map((map) => ({ ...map, variables: desk.variables(map) })) } : {};
  const shown = sharing === undefined ? tally : { ...tally, sharing };
  if (format === 'json') print(JSON.stringify({ ...shown, ...maps }, null, 2));
  else if (format === 'ndjson') print(JSON.stringify({ tally: shown, ...maps }));
  else print([tallyText(tally, sharing), ...(maps.maps === undefined ? [] : [mapsText(maps.maps)])].join('\n\n'));
  process.exitCode = judge(tally, options.expect ?? []);
}

/** Nothing could be expected of a name that no packet can have: the count of it is always 0. */
function checkVerdict(subject: Instance | Pipeline, name: string): void {
  const { type } = subject.program;
  const names = subject instanceof Pipeline ? Object.keys(FATES) : [...subject.programType.verdicts, 'ERROR'];
  const isCode = subject instanceof Instance && /^-?\d+$/.test(name);
  if (isCode || names.includes(name)) return;
  throw new OptionError('no-such-verdict', `--expect: ${type} has no verdict ${name}; it has ${names.join(', ')}`);
}

async function explain(index: number, subject: Instance | Pipeline, capture: string, format: RunOptions['format']) {
  const explained = new Explained(subject, index);
  await readCapture(capture, explained.replay);
  const explanation = explained.end();
  if (format === 'table') print(explanationText(explanation));
  else print(JSON.stringify(explanation, null, format === 'json' ? 2 : undefined));
}

/** Undefined where one worker was wanted. */
function howShared(subject: Instance | Pipeline, capture: string, options: RunOptions): Sharing | undefined {
  if (options.workers === 1) return undefined;
  if (!(subject instanceof Instance)) return oneWorker('a pipeline runs packet by packet');
  const kind = captureKind(capture);
  if (kind !== 'file') return oneWorker(WHY_ONE_READS[kind]);
  const inOrder = (['packets', 'write', 'events'] as const).find((name) => options[name] !== undefined);
  if (inOrder !== undefined) return oneWorker(`--${inOrder} writes packets in their order`);
  if (options.format === 'ndjson') return oneWorker('--format ndjson prints packets in their order');
  return sharingOf(subject, options.workers, options.relaxed);
}

/** Where workers may come to share maps, the maps lie in memory that can be shared from the start. */
function seatOf({ relaxed, workers, cpus = INSTANCE_DEFAULTS.cpus }: RunOptions): Pick<InstanceOptions, 'seat'> {
  return relaxed === true && cpus > 1 ? { seat: { number: 0, seats: Math.min(workers, cpus) } } : {};
}

async function alone(subject: Instance | Pipeline, capture: string, options: RunOptions): Promise<Tally> {
  const recording = openRecording(options, subject);
  const sinks = options.format === 'ndjson' ? withLines(recording.sinks, subject) : recording.sinks;
  const replay = new Replay(subject, sinks);
  await readCapture(capture, replay);
  const tally = replay.end();
  recording.close();
  return tally;
}

/** What is wrong inside is told by whoever uses it. */
function readJson<T>(path: string): T {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if (error instanceof SyntaxError) throw new OptionError('bad-json', `${path} is not JSON: ${error.message}`);
    throw error;
  }
}

/** `--format ndjson`: a line a packet, event and trace as they happen. */
function withLines(sinks: ReplaySinks, subject: Instance | Pipeline): ReplaySinks {
  return {
    ...sinks,
    packet(frame, result) {
      sinks.packet?.(frame, result, subject);
      print(JSON.stringify({ packet: packetRecord(frame, result, subject) }));
    },
    event(packet, event) {
      sinks.event?.(packet, event);
      print(JSON.stringify({ event: { packet, map: event.map, cpu: event.cpu, value: event.bytes.toHex() } }));
    },
    trace(packet, text) {
      sinks.trace?.(packet, text);
      print(JSON.stringify({ trace: { packet, text } }));
    },
  };
}

function judge(tally: Tally, expectations: readonly Expectation[]): number {
  const failed = expectations.filter((each) => !holds(each, tally.verdicts[each.verdict]?.packets ?? 0));
  for (const { verdict, relation, packets } of failed) {
    say(`expected ${verdict}${relation}${packets}, got ${tally.verdicts[verdict]?.packets ?? 0}`);
  }
  if (tally.captureError !== null) {
    say(tally.captureError.message);
    return EXIT.usage;
  }
  return failed.length > 0 ? EXIT.refused : EXIT.done;
}
