import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble, decode, encode, type Instruction } from '../src/index.ts';
import { slots } from '../src/isa/instruction.ts';

/** Where in the packet the number of runs stands, four bytes. */
const RUNS_AT = 60;

const START = '*(u64 *)(r10 - 32) = r2\n*(u64 *)(r10 - 24) = r1\nr1 = *(u64 *)(r10 - 24)';
/** An XDP program: its context is what it comes with. */
const OURS = assemble(`
  r2 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r2 + ${RUNS_AT})
  ${START}
`);
/** With the packet's address and size in r1 and r2: its edges, as 64 bits each on the stack, are the context. */
const UBPFS = assemble(`
  r3 = r1
  r3 += r2
  *(u64 *)(r10 - 16) = r1
  *(u64 *)(r10 - 8) = r3
  r2 = *(u32 *)(r1 + ${RUNS_AT})
  r1 = r10
  r1 += -16
  ${START}
`);

/** A program run as often as the packet says; it uses no stack itself. The last instruction of `start` fetches its context. */
function loop(start: Uint8Array, body: readonly Instruction[]): Uint8Array {
  const length = body.reduce((sum, instruction) => sum + slots(instruction), 0);
  let pc = 0;
  const parts = body.map((instruction) => {
    const kept: Instruction = instruction.kind === 'exit' ? { kind: 'goto', target: length, long: false } : instruction;
    const bytes = encode(kept, pc);
    pc += slots(instruction);
    return bytes;
  });
  const end = `
    r2 = *(u64 *)(r10 - 32)
    r2 += -1
    *(u64 *)(r10 - 32) = r2
    if r2 != 0 goto pc-${length + 5}
    exit
  `;
  return new Uint8Array(Buffer.concat([start, ...parts, assemble(end)]));
}

const instructionsOf = (body: Uint8Array) => decode(body).filter((instruction) => instruction !== undefined);

/** An XDP program that runs another, given by its instructions, again and again. */
export const ourLoop = (body: Uint8Array) => loop(OURS, instructionsOf(body));

/** The same for uBPF: what reads `data` and `data_end` off the context reads 64 bits. */
function ubpfLoop(body: Uint8Array): Uint8Array {
  let isContext = true;
  const wide = instructionsOf(body).map((instruction) => {
    if (!isContext || instruction.kind !== 'load' || instruction.src !== 1) return instruction;
    isContext = instruction.dst !== 1;
    return { ...instruction, size: 8, offset: 2 * instruction.offset } as const;
  });
  return loop(UBPFS, wide);
}

/** A built `ubpf_test` (github.com/iovisor/ubpf), which runs a program once on a packet. */
export class Ubpf {
  readonly #path: string;
  readonly #scratch = mkdtempSync(join(tmpdir(), 'bpfreplay-ubpf-'));

  constructor(path: string) {
    this.#path = path;
  }

  /** A function that gives nanoseconds of processor time of so many runs, starting included, and r0 of the last. */
  prepare(body: Uint8Array, packet: Uint8Array, jit: boolean): (runs: number) => { ns: number; retval: number } {
    const [code, memory] = [join(this.#scratch, 'code'), join(this.#scratch, 'packet')];
    return (runs) => {
      writeFileSync(code, ubpfLoop(body));
      writeFileSync(memory, withRuns(packet, runs));
      const args = ['-m', memory, ...(jit ? ['-j'] : []), code];
      const script = 'TIMEFORMAT="%3U %3S"; { time "$@"; } 2>&1';
      const text = execFileSync('bash', ['-c', script, 'bash', this.#path, ...args], { encoding: 'utf8' });
      const [retval, user, system] = text.trim().split(/\s+/);
      return { ns: 1e9 * (Number(user) + Number(system)), retval: Number(BigInt(retval!) & 0xffff_ffffn) };
    };
  }

  end(): void {
    rmSync(this.#scratch, { recursive: true });
  }
}

/** The packet with the number of runs in it. */
export function withRuns(packet: Uint8Array, runs: number): Uint8Array {
  const bytes = packet.slice();
  new DataView(bytes.buffer).setUint32(RUNS_AT, runs, true);
  return bytes;
}
