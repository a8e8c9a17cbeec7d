// Builds the example programs: programs/NAME.bpf.c -> programs/NAME.bpf.o, and records in programs/SOURCES.json what each
// object was built from, so that a test can tell without a compiler when a source and its object differ.
//
//   node tools/build-programs.ts            rebuild all
//   node tools/build-programs.ts --check    change nothing; exit 1 when an object is not what its source gives
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const PROGRAMS = fileURLToPath(new URL('../programs/', import.meta.url));
const RECORD = join(PROGRAMS, 'SOURCES.json');
const HEADER = 'common.bpf.h';

type Cpu = 'v1' | 'v2' | 'v3' | 'v4';
const DEFAULT_CPU: Cpu = 'v3';
/** Instruction set versions other than the default, so that the examples show all four. */
const CPU: Readonly<Record<string, Cpu>> = { socket: 'v1', vlan: 'v2', icmp_echo: 'v2', decap: 'v2', mapkinds: 'v4' };

interface ProgramRecord {
  /** clang's arguments, without paths. */
  readonly flags: readonly string[];
  /** sha256 of the source, the common header and the flags together. */
  readonly source: string;
  /** sha256 of the object. */
  readonly object: string;
}

export interface SourcesFile {
  /** The compiler's own words, e.g. "Debian clang version 19.1.7". */
  readonly clang: string;
  /** sha256 of the system's headers that were read: the debug information repeats their line numbers. */
  readonly headers: string;
  readonly programs: Readonly<Record<string, ProgramRecord>>;
}

/** Every example's name, sorted: the sources are the list. */
export function programNames(): string[] {
  return readdirSync(PROGRAMS)
    .filter((file) => file.endsWith('.bpf.c'))
    .map((file) => file.slice(0, -'.bpf.c'.length))
    .sort();
}

function flagsOf(name: string): string[] {
  return ['-O2', '-g', '-Wall', '-Werror', '-target', 'bpf', `-mcpu=${CPU[name] ?? DEFAULT_CPU}`];
}

const sha256 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

const sourceHash = (name: string): string =>
  sha256(readFileSync(join(PROGRAMS, `${name}.bpf.c`)), readFileSync(join(PROGRAMS, HEADER)), flagsOf(name).join(' '));

const objectHash = (path: string): string => sha256(readFileSync(path));

export const readRecord = (): SourcesFile => JSON.parse(readFileSync(RECORD, 'utf8')) as SourcesFile;

/** One sentence for each way in which the directory and its record disagree; empty when they agree. Needs no compiler. */
export function recordedDifferences(record: SourcesFile): string[] {
  const found: string[] = [];
  const names = programNames();
  for (const name of names) {
    const entry = record.programs[name];
    const object = join(PROGRAMS, `${name}.bpf.o`);
    if (!entry) found.push(`${name}.bpf.c is not in SOURCES.json: it was never built`);
    else if (!existsSync(object)) found.push(`${name}.bpf.o is missing`);
    else {
      if (entry.source !== sourceHash(name))
        found.push(`${name}.bpf.c, ${HEADER} or the flags changed since ${name}.bpf.o was built`);
      if (entry.object !== objectHash(object))
        found.push(`${name}.bpf.o is not the object that was built from ${name}.bpf.c`);
    }
  }
  for (const name of Object.keys(record.programs)) {
    if (!names.includes(name)) found.push(`${name} is in SOURCES.json, but there is no ${name}.bpf.c`);
  }
  return found;
}

export interface Compiler {
  readonly command: string;
  readonly version: string;
  /** As `SourcesFile.headers`. */
  readonly headers: string;
}

/** True when this compiler, with the headers it finds here, must give the recorded objects byte for byte. */
export const isTheRecorded = (clang: Compiler | undefined, record: SourcesFile): clang is Compiler =>
  clang?.version === record.clang && clang.headers === record.headers;

/** The first clang found that can compile for BPF; undefined when there is none. */
export function findClang(): Compiler | undefined {
  for (const command of ['clang-19', 'clang']) {
    const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
    if (status !== 0) continue;
    // "Debian clang version 19.1.7 (3~deb12u1)": the packager's revision does not change the code.
    return { command, version: stdout.split('\n', 1)[0]!.replace(/ \(.*$/, ''), headers: headersHash(command) };
  }
  return undefined;
}

/** Where Debian keeps <asm/types.h>; other systems have it in /usr/include. */
const archInclude = (): string => `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

/** Every example includes the common header alone, so that its dependencies (clang -M) are everybody's. */
function headersHash(command: string): string {
  const args = ['-target', 'bpf', '-idirafter', archInclude(), '-x', 'c', '-M', HEADER];
  const { status, stdout } = spawnSync(command, args, { cwd: PROGRAMS, encoding: 'utf8' });
  if (status !== 0) return 'missing';
  const files = stdout.split(/[\s\\]+/).filter((file) => file.startsWith('/'));
  return sha256(...files.sort().map((file) => readFileSync(file)));
}

/** Compiles one program; throws an Error with clang's own output. The object holds no path of the machine it was built on. */
function compile(clang: Compiler, name: string, output: string): void {
  const paths = ['-idirafter', archInclude(), '-fdebug-compilation-dir=.'];
  const maps = [
    `-ffile-prefix-map=${PROGRAMS}=`,
    '-ffile-prefix-map=/usr/include=include',
    `-ffile-prefix-map=${archInclude()}=include`,
  ];
  try {
    execFileSync(clang.command, [...flagsOf(name), ...paths, ...maps, '-c', `${name}.bpf.c`, '-o', output], {
      cwd: PROGRAMS,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (cause) {
    throw new Error(`${name}.bpf.c does not compile:\n${(cause as { stderr?: string }).stderr ?? ''}`, { cause });
  }
}

/** The names of the programs whose object clang does not give again, byte for byte. */
export function rebuiltDifferences(clang: Compiler, names: readonly string[]): string[] {
  const scratch = mkdtempSync(join(tmpdir(), 'bpf-programs-'));
  try {
    return names.filter((name) => {
      const output = join(scratch, `${name}.bpf.o`);
      compile(clang, name, output);
      return !readFileSync(output).equals(readFileSync(join(PROGRAMS, `${name}.bpf.o`)));
    });
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function check(clang: Compiler | undefined): number {
  const record = readRecord();
  const found = recordedDifferences(record);
  if (found.length === 0 && isTheRecorded(clang, record)) {
    for (const name of rebuiltDifferences(clang, programNames()))
      found.push(`${name}.bpf.o: ${clang.version} builds other bytes`);
  } else if (found.length === 0) {
    console.error(`Compared by hash only: here is not the ${record.clang}, with the headers, that built the objects.`);
  }
  for (const line of found) console.error(line);
  console.log(
    found.length === 0
      ? `${programNames().length} objects agree with their sources`
      : `${found.length} differences; node tools/build-programs.ts rebuilds`,
  );
  return found.length === 0 ? 0 : 1;
}

function build(clang: Compiler | undefined): number {
  if (!clang) {
    console.error(
      'No clang found (tried clang-19 and clang). On Debian or Ubuntu: apt-get install clang-19 libbpf-dev linux-libc-dev',
    );
    return 2;
  }
  const programs: Record<string, ProgramRecord> = {};
  for (const name of programNames()) {
    const object = join(PROGRAMS, `${name}.bpf.o`);
    compile(clang, name, object);
    programs[name] = { flags: flagsOf(name), source: sourceHash(name), object: objectHash(object) };
    console.log(`${name}.bpf.o`);
  }
  const record: SourcesFile = { clang: clang.version, headers: clang.headers, programs };
  writeFileSync(RECORD, `${JSON.stringify(record, null, 2)}\n`);
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = process.argv.includes('--check') ? check(findClang()) : build(findClang());
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
}
