/**
 * `node tools/image.ts`: does what the Dockerfile says where there is no Docker, and starts what comes of it as the
 * image would be started: by its user, with a root file system that cannot be written to, in a network of its own. Ends
 * with 0 when the health check does. Linux and root: each stage is an overlay (overlayfs) over this machine's own
 * files, with this process's Node in the place of the base image's. Nothing of it is left behind.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Instruction, parseDockerfile, type Stage, stagesOf } from './image/dockerfile.ts';

const ROOT = new URL('../', import.meta.url).pathname;
const INSIDE = '--inside';
/** What the image needs to be told to listen beyond loopback. */
const TOKEN = 'image-0123456789abcdef';
const LONGEST_START = 30_000;

interface Built {
  /** Its root directory. */
  readonly root: string;
  readonly environment: Record<string, string>;
  workdir: string;
  user: string;
  readonly volumes: string[];
  health: readonly string[];
  entrypoint: readonly string[];
  command: readonly string[];
}

function run(command: string, args: readonly string[], options: { input?: string; cwd?: string } = {}): void {
  const { status, error } = spawnSync(command, args, { stdio: ['pipe', 'inherit', 'inherit'], ...options });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}

async function main(): Promise<void> {
  // In a mount namespace of its own: what is mounted goes with the process.
  const scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-image-'));
  try {
    run('mount', ['-t', 'tmpfs', 'tmpfs', scratch]);
    const built = new Map<string, Built>();
    let last: Built | undefined;
    const stages = stagesOf(parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')));
    for (const [index, stage] of stages.entries()) {
      console.log(`stage ${index + 1} of ${stages.length}: ${stage.name ?? 'the image'}`);
      last = build(stage, makeRoot(join(scratch, String(index))), built);
      if (stage.name !== undefined) built.set(stage.name, last);
    }
    await start(last!);
  } finally {
    spawnSync('umount', ['-R', '-l', scratch]);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What the base image is to us: this machine, with its Node where the image has it, and the image's user. */
function makeRoot(folder: string): string {
  const [upper, work, root] = ['upper', 'work', 'root'].map((name) => join(folder, name)) as [string, string, string];
  for (const one of [upper, work, root]) mkdirSync(one, { recursive: true });
  run('mount', ['-t', 'overlay', 'overlay', '-o', `lowerdir=/,upperdir=${upper},workdir=${work}`, root]);
  for (const one of ['proc', 'dev']) run('mount', ['--rbind', `/${one}`, join(root, one)]);
  const node = join(root, 'usr/local/bin/node');
  rmSync(node, { force: true });
  mkdirSync(dirname(node), { recursive: true });
  symlinkSync(process.execPath, node);
  if (spawnSync('chroot', [root, 'id', 'node']).status !== 0) run('chroot', [root, 'useradd', '--create-home', 'node']);
  return root;
}

/** One line a kind of instruction; those that only describe the image do nothing. */
const STEPS: Readonly<Record<string, (built: Built, step: Instruction, stages: ReadonlyMap<string, Built>) => void>> = {
  WORKDIR: (built, { text }) => {
    built.workdir = resolve(built.workdir, text);
    mkdirSync(join(built.root, built.workdir), { recursive: true });
  },
  ENV: (built, { words }) => {
    for (const word of words) built.environment[word.split('=')[0]!] = word.slice(word.indexOf('=') + 1);
  },
  COPY: copy,
  RUN: (built, { text }) => {
    console.log(`  ${text}`);
    inRoot(built, 'root', ['sh', '-ec', text]);
  },
  USER: (built, { text }) => {
    built.user = text;
  },
  VOLUME: (built, { words }) => {
    built.volumes.push(...words);
  },
  HEALTHCHECK: (built, { words }) => {
    built.health = words;
  },
  ENTRYPOINT: (built, { words }) => {
    built.entrypoint = words;
  },
  CMD: (built, { words }) => {
    built.command = words;
  },
  EXPOSE: () => {},
};

function build({ instructions }: Stage, root: string, stages: ReadonlyMap<string, Built>): Built {
  const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/root' };
  const built: Built = {
    root,
    environment,
    workdir: '/',
    user: 'root',
    volumes: [],
    health: [],
    entrypoint: [],
    command: [],
  };
  for (const step of instructions) {
    const perform = STEPS[step.name];
    if (perform === undefined) throw new Error(`Dockerfile:${step.line}: ${step.name} is not known to this script`);
    perform(built, step, stages);
  }
  return built;
}

/** A folder is copied by what is in it, anything else into or to what is named last. */
function copy(built: Built, { words, flags, line }: Instruction, stages: ReadonlyMap<string, Built>): void {
  const stage = flags.from === undefined ? undefined : stages.get(flags.from);
  if (flags.from !== undefined && stage === undefined) throw new Error(`Dockerfile:${line}: no stage ${flags.from}`);
  const target = words.at(-1)!;
  for (const name of words.slice(0, -1)) {
    const from = join(stage?.root ?? ROOT, name);
    if (!existsSync(from)) throw new Error(`Dockerfile:${line}: there is no ${name}`);
    const to = join(built.root, resolve(built.workdir, target));
    const into = statSync(from).isDirectory() || !target.endsWith('/') ? to : join(to, name);
    cpSync(from, into, { recursive: true, verbatimSymlinks: true });
  }
}

function inRoot({ root, environment, workdir }: Built, user: string, command: readonly string[]): void {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const args = [`--userspec=${user}`, root, 'env', '-i', '-C', workdir, ...variables, ...command];
  run('chroot', args);
}

/** Starts it, read-only, and asks for its health until it is well. */
async function start(built: Built): Promise<void> {
  const { root, volumes, user, environment, workdir, entrypoint, command, health } = built;
  for (const volume of volumes) {
    // A new volume has what the image has there: its owner and its mode.
    const { uid, gid, mode } = statSync(join(root, volume));
    const options = `uid=${uid},gid=${gid},mode=${(mode & 0o777).toString(8)}`;
    run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', join(root, volume)]);
  }
  run('mount', ['-o', 'remount,ro', root]);
  const variables = Object.entries({ ...environment, BPFREPLAY_TOKEN: TOKEN }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const chroot = ['chroot', `--userspec=${user}`, root, 'env', '-i', '-C', workdir, ...variables];
  const shell = 'ip link set lo up && exec "$@"';
  const daemon = spawn('unshare', ['--net', 'sh', '-c', shell, 'sh', ...chroot, ...entrypoint, ...command], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const ended = new Promise<number | null>((done) => daemon.on('exit', done));
  const enter = ['nsenter', [`--net=/proc/${daemon.pid}/ns/net`]] as const;
  const inside = (args: readonly string[]) =>
    spawnSync(enter[0], [...enter[1], ...chroot, ...args], { encoding: 'utf8' });
  try {
    for (const begin = Date.now(); inside(health).status !== 0; await setTimeout(200)) {
      if (daemon.exitCode !== null) throw new Error(`the entry point ended with ${daemon.exitCode}`);
      if (Date.now() - begin > LONGEST_START) throw new Error('the health check does not pass');
    }
    if (inside(['touch', join(workdir, 'x')]).status === 0) throw new Error(`${workdir} can be written to`);
    const who = inside(['id', '-u']).stdout.trim();
    if (who === '0') throw new Error('it runs as root');
    console.log(`healthy, as user ${who}, with a root file system that is read-only`);
  } finally {
    daemon.kill('SIGTERM');
    console.log(`ended with ${await ended}`);
  }
}

if (process.argv.includes(INSIDE)) await main();
else if (process.platform !== 'linux' || process.getuid?.() !== 0) {
  console.log('The steps of the Dockerfile were not run: that takes Linux, and root.');
} else {
  // Privately: no mount of ours is seen outside.
  run('unshare', ['--mount', '--propagation', 'private', process.execPath, import.meta.filename, INSIDE]);
}
