import { createReadStream, readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  INSTANCE_DEFAULTS,
  Instance,
  type InstanceOptions,
  type MapInit,
  OptionError,
  openRecording,
  packetRecord,
  Replay,
  type ReplaySinks,
  type Tally,
} from '../index.ts';
import { EXIT } from './exit.ts';
import { type ObjectOptions, readObjectFile, withObject } from './object.ts';
import { byteSize, type Expectation, expectation, holds, wholeNumber } from './options.ts';
import { print, say } from './output.ts';
import { mapsText, tallyText } from './tally-text.ts';

interface RunOptions extends Omit<InstanceOptions, 'mapInit'>, ObjectOptions {
  readonly format: 'table' | 'json' | 'ndjson';
  readonly packets?: string;
  readonly events?: string;
  readonly write?: string;
  readonly maps?: boolean;
  readonly mapInit?: string;
  readonly expect?: readonly Expectation[];
}

const CHUNK = 1024 * 1024;

export function addRun(program: Command): void {
  withObject(
    program.command('run').description('replay a capture through a program and tell what became of each packet'),
  )
    .argument('<capture>', 'pcap or pcapng file; - is standard input')
    .option('--program <name>', 'which program of the object')
    .option('--type <type>', "program type by libbpf's name, where the section does not say it (xdp, sched_cls …)")
    .addOption(new Option('--format <format>', 'what to print').choices(['table', 'json', 'ndjson']).default('table'))
    .option('--packets <file>', 'write one JSON line a packet')
    .option('--events <file>', 'write one JSON line a record sent to user space, and a traced line')
    .option('--write <file>', 'write the packets as they left, with their verdicts, as pcapng')
    .option('--maps', "print the maps' final contents")
    .option('--map-init <file>', 'JSON of initial map contents')
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
    .option('--sanitize', 'jit: check each access, instead of trusting what the verifier proved')
    .option('--no-verify', 'run even what the verifier refuses; every access is checked all the same')
    .action(run);
}

async function run(objectPath: string, capture: string, options: RunOptions): Promise<void> {
  const { mapInit, format } = options;
  const instance = new Instance(readObjectFile(objectPath, options), {
    ...options,
    mapInit: mapInit === undefined ? {} : readMapInit(mapInit),
  });
  const recording = openRecording(options, instance);
  const replay = new Replay(instance, format === 'ndjson' ? withLines(recording.sinks, instance) : recording.sinks);
  await readCapture(capture, replay);
  const tally = replay.end();
  recording.close();

  const maps = options.maps === true ? { maps: instance.dumpMaps() } : {};
  if (format === 'json') print(JSON.stringify({ ...tally, ...maps }, null, 2));
  else if (format === 'ndjson') print(JSON.stringify({ tally, ...maps }));
  else print([tallyText(tally), ...(maps.maps === undefined ? [] : [mapsText(maps.maps)])].join('\n\n'));
  process.exitCode = judge(tally, options.expect ?? []);
}

function readMapInit(path: string): MapInit {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as MapInit;
  } catch (error) {
    if (error instanceof SyntaxError) throw new OptionError('bad-json', `${path} is not JSON: ${error.message}`);
    throw error;
  }
}

/** A stream ends at the end of the capture, at its first fault, or at Ctrl-C: the tally so far is printed then. */
async function readCapture(capture: string, replay: Replay): Promise<void> {
  const stream = capture === '-' ? process.stdin : createReadStream(capture, { highWaterMark: CHUNK });
  const stop = () => {
    stream.destroy();
  };
  process.once('SIGINT', stop);
  try {
    for await (const chunk of stream) if (!replay.push(chunk)) break;
  } catch (error) {
    // Destroyed on request: what came before counts.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  } finally {
    process.removeListener('SIGINT', stop);
  }
}

/** `--format ndjson`: a line a packet, event and trace as they happen. */
function withLines(sinks: ReplaySinks, instance: Instance): ReplaySinks {
  return {
    ...sinks,
    packet(frame, result) {
      sinks.packet?.(frame, result, instance);
      print(JSON.stringify({ packet: packetRecord(frame, result, instance) }));
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
