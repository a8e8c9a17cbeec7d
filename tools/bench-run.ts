// `npm run bench:run`: packets per second of `bpfreplay run` as a user starts it, start-up included, on a generated
// capture of a million packets of 64 bytes. Rounds go over all programs in turn; medians, with minimum and maximum.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { cpus } from 'node:os';

const PACKETS = 1_000_000;
const ROUNDS = 5;
const CAPTURE = '.tmp/bench-million.pcap';
const SUBJECTS = [
  ['programs/blocklist.bpf.o', 'blocklist'],
  ['programs/synflood.bpf.o', 'synflood'],
  ['programs/vlan.bpf.o', 'xdp_vlan'],
].flatMap(([object, program]) => ['interpreter', 'jit'].map((engine) => [object!, program!, engine] as const));

mkdirSync('.tmp', { recursive: true });
const node = (...args: string[]) => execFileSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
if (!existsSync(CAPTURE)) {
  node('tools/generate-capture.ts', '--packets', String(PACKETS), '--size', '64', '--seed', '1', '-o', CAPTURE);
}
const seconds = SUBJECTS.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, [object, program, engine]] of SUBJECTS.entries()) {
    const start = performance.now();
    node('bin/bpfreplay.js', 'run', object, CAPTURE, '--program', program, '--engine', engine);
    seconds[index]!.push((performance.now() - start) / 1000);
  }
}
console.log(`Node ${process.version}, ${cpus()[0]?.model.trim()}, ${PACKETS} packets of 64 bytes, ${ROUNDS} rounds`);
for (const [index, [, program, engine]] of SUBJECTS.entries()) {
  const rates = seconds[index]!.map((time) => Math.round(PACKETS / time)).sort((a, b) => a - b);
  const [least, median, most] = [rates[0]!, rates[ROUNDS >> 1]!, rates[ROUNDS - 1]!].map((rate) =>
    rate.toLocaleString('en-US'),
  );
  console.log(`${program}, ${engine}: ${median} packets/s (${least} to ${most})`);
}
