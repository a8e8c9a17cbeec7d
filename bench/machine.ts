import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Settings } from './section.ts';

/** Where and when: the head of the results. */
export function machineText({ rounds, scale, linux, ubpf }: Settings): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' });
  const processor = cpus()[0]!;
  const { v8 } = process.versions;
  return [
    '# What the benchmark measured',
    [
      `- \`${['node', 'bench/bench.ts', ...process.argv.slice(2)].join(' ')}\`, ${new Date().toISOString().slice(0, 16)}Z, commit ${commit.trim()}`,
      `- ${cpus().length} × ${processor.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB; Linux ${release()}; Node ${process.versions.node}, V8 ${v8}`,
      `- ${rounds} rounds${scale < 1 ? `, at a scale of ${scale}: not to be quoted` : ''}; Linux ${typeof linux === 'string' ? `not asked: ${linux}` : 'asked by BPF_PROG_TEST_RUN (tools/kernel-oracle)'}; uBPF ${ubpf ?? 'not there (--ubpf PATH)'}`,
    ].join('\n'),
    'Contenders take turns within each round; ratios are those of a round, and what stands in front of the brackets is their median.',
  ].join('\n\n');
}
