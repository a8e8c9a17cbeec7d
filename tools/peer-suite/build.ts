import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { LARGE } from './groups.ts';
import { OBJECTS, ORACLE, PEER, ROOT } from './places.ts';

const PACKAGE = 'linux-source-6.12';
const ARCHIVE = `/usr/src/${PACKAGE}.tar.xz`;
const KERNEL_BTF = '/sys/kernel/btf/vmlinux';
/** Debian packages; `make`, `gcc` and the two libraries are for libbpf and the oracle. */
const PACKAGES = 'linux-source-6.12 clang-19 bpftool xdp-tools gcc make python3 libelf-dev zlib1g-dev xz-utils';
/** The selftests, and what libbpf's and their headers need to be built alone. */
const PARTS = ['tools/testing/selftests/bpf', 'tools/lib/bpf', 'tools/include', 'tools/build', 'tools/scripts', 'tools/arch', 'scripts', 'include/uapi']; // biome-ignore format: a list
const PROGS = join(PEER, 'tools/testing/selftests/bpf/progs');
const LIBBPF = join(PEER, 'libbpf');

/** Unpacks, builds what is missing, and gives the number of objects compiled. `say` is told of each long step. */
export async function build(say: (what: string) => void): Promise<number> {
  mkdirSync(OBJECTS, { recursive: true });
  if (!existsSync(PROGS)) unpack(say);
  if (!existsSync(join(PEER, 'include/vmlinux.h'))) headers(say);
  if (!existsSync(join(LIBBPF, 'libbpf.a'))) libbpf(say);
  oracle();
  return compileAll(say);
}

function run(command: string, args: readonly string[], cwd = PEER): string {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status === 0) return result.stdout;
  const why = result.error?.message ?? result.stderr.trim().split('\n').slice(-5).join('\n');
  throw new Error(
    `${command} ${args.slice(0, 3).join(' ')}: ${why}\nthe suite is built from: apt-get install ${PACKAGES}`,
  );
}

function unpack(say: (what: string) => void): void {
  if (!existsSync(ARCHIVE)) {
    say(`installing ${PACKAGES}`);
    run('apt-get', ['install', '-y', ...PACKAGES.split(' ')]);
  }
  say(`unpacking ${ARCHIVE}`);
  run('tar', ['-xJf', ARCHIVE, '--strip-components=1', ...PARTS.map((part) => `${PACKAGE}/${part}`)]);
}

function headers(say: (what: string) => void): void {
  if (!existsSync(KERNEL_BTF)) throw new Error(`${KERNEL_BTF} is not there: this kernel does not describe its types`);
  say('describing the running kernel in vmlinux.h');
  const include = join(PEER, 'include');
  mkdirSync(include, { recursive: true });
  if (!existsSync(join(include, 'bpf'))) symlinkSync('../tools/lib/bpf', join(include, 'bpf'));
  const definitions = run('python3', ['scripts/bpf_doc.py', '--header', '--file', 'include/uapi/linux/bpf.h']);
  writeFileSync(join(PEER, 'tools/lib/bpf/bpf_helper_defs.h'), definitions);
  writeFileSync(join(include, 'vmlinux.h'), run('bpftool', ['btf', 'dump', 'file', KERNEL_BTF, 'format', 'c']));
}

/** Debian's libbpf may be too old to know every section that the selftests use; the sources bring their own. */
function libbpf(say: (what: string) => void): void {
  say('building libbpf');
  mkdirSync(LIBBPF, { recursive: true });
  const where = [`OUTPUT=${LIBBPF}/`, `DESTDIR=${LIBBPF}/root`, 'prefix='];
  run('make', ['-s', '-C', 'tools/lib/bpf', ...where, join(LIBBPF, 'libbpf.a'), 'install_headers']);
}

function oracle(): void {
  const include = join(PEER, 'include/oracle/linux');
  mkdirSync(include, { recursive: true });
  for (const header of ['bpf.h', 'bpf_common.h', 'btf.h']) {
    copyFileSync(join(PEER, 'tools/include/uapi/linux', header), join(include, header));
  }
  const flags = [`CFLAGS=-O2 -I${LIBBPF}/root/include -I${PEER}/include/oracle`, `LDFLAGS=-L${LIBBPF}`];
  run('make', ['-s', '-C', join(ROOT, 'tools/kernel-oracle'), `OUT=${join(ORACLE, '..')}`, ...flags]);
}

/** Names of the suite's sources, without `.c`. */
function names(): string[] {
  const tests = readdirSync(PROGS).filter((file) => /^verifier_.*\.c$/.test(file));
  return [...tests.map((file) => file.slice(0, -2)).sort(), ...Object.keys(LARGE)];
}

async function compileAll(say: (what: string) => void): Promise<number> {
  const missing = names().filter((name) => !upToDate(name));
  if (missing.length > 0) say(`compiling ${missing.length} objects`);
  const queue = [...missing];
  const worker = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) await compile(name);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return missing.length;
}

function upToDate(name: string): boolean {
  const object = join(OBJECTS, `${name}.o`);
  return existsSync(object) && statSync(object).mtimeMs >= statSync(join(PROGS, `${name}.c`)).mtimeMs;
}

/** The flags are the selftests' own for a CPU of version 3, without their warnings. */
function compile(name: string): Promise<void> {
  const machine = process.arch === 'arm64' ? 'arm64' : 'x86';
  const args = [
    '-g', '-O2', '-mcpu=v3', '--target=bpf', '-mlittle-endian', `-D__TARGET_ARCH_${machine}`, '-DENABLE_ATOMICS_TESTS',
    '-std=gnu11', '-fno-strict-aliasing', '-w', ...(LARGE[name] ?? []),
    `-I${PEER}/include`, '-I..', `-I${PEER}/tools/include/uapi`, `-I${PEER}/tools/include`,
    '-idirafter', `/usr/include/${machine === 'x86' ? 'x86_64' : 'aarch64'}-linux-gnu`,
    '-c', `${name}.c`, '-o', join(OBJECTS, `${name}.o`),
  ]; // biome-ignore format: flags by their subject
  return new Promise((resolve, reject) => {
    let said = '';
    const clang = spawn('clang-19', args, { cwd: PROGS, stdio: ['ignore', 'ignore', 'pipe'] });
    clang.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    clang.on('error', reject);
    clang.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${name}.c does not compile:\n${said}`))));
  });
}

/** The compiler's own words. */
export function compiler(): string {
  return execFileSync('clang-19', ['--version'], { encoding: 'utf8' })
    .split('\n', 1)[0]!
    .replace(/ \(.*$/, '');
}
