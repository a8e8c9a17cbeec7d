import { existsSync, readFileSync } from 'node:fs';
import { CONTROL_BYTES } from '../../src/abi/control.ts';
import { defineHelper } from '../../src/abi/helper.ts';
import type { Machine } from '../../src/abi/machine.ts';
import { decode } from '../../src/isa/codec.ts';
import { MAX_FRAMES } from '../../src/runtime/call/limits.ts';
import { stackAt, stackBytes } from '../../src/runtime/call/stack.ts';
import { Interpreter } from '../../src/runtime/interpreter/interpreter.ts';
import { Jit } from '../../src/runtime/jit/jit.ts';
import { LinearMemory, MemoryPlan } from '../../src/runtime/memory/memory.ts';

/** The public bpf_conformance cases, kept beside the checkout: wire bytes, input memory, expected r0, all in hex. */
export interface Vector {
  readonly name: string;
  readonly code: string;
  readonly mem: string;
  readonly r0: string;
}

const FILE = new URL('../../../shared/conformance/rfc9669-vectors.json', import.meta.url);

/** The vectors, or undefined where the machine has none. */
export function readVectors(): readonly Vector[] | undefined {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Vector[]) : undefined;
}

/** The suite's only helper: number 5 returns its first argument. */
const unwind = defineHelper({
  name: 'unwind',
  id: 5,
  prototype: { args: ['u64'], returns: 'integer', programTypes: 'all' },
  run: (_machine, value) => value,
});

export const ENGINES = ['interpreter', 'jit'] as const;

/** r0 after the vector's program ran on an engine, in the vector's notation. */
export function runVector(vector: Vector, engine: (typeof ENGINES)[number]): string {
  const instructions = decode(Uint8Array.fromHex(vector.code));
  const input = Uint8Array.fromHex(vector.mem);
  const plan = new MemoryPlan(2 ** 20);
  const stack = stackAt(plan.allot('stack', stackBytes(MAX_FRAMES)).start, MAX_FRAMES);
  const start = plan.allot('input', input.length).start;
  const control = plan.allot('control block', CONTROL_BYTES).start;
  const memory = new LinearMemory(plan);
  const region = (name: string, first: number, bytes: number) =>
    memory.addRegion({ name, start: first, end: first + bytes, writable: true, stride: 0, size: 0 });
  region('stack', stack.start, stackBytes(MAX_FRAMES));
  region('input', start, input.length);
  memory.u8.set(input, start);
  const runnable = {
    program: { instructions } as never,
    mapHandle: () => 0,
    mapValue: () => 0,
    symbolAddress: () => 0,
  };
  const options = {
    memory,
    machine: { memory, context: 0 } as unknown as Machine,
    helpers: new Map([[5, unwind]]),
    kfuncs: new Map(),
    programs: [runnable],
    stack,
    budget: 1_000_000,
  };
  const runner = engine === 'jit' ? new Jit({ ...options, control, sanitize: true }) : new Interpreter(options);
  return `0x${runner.run(runnable, input.length === 0 ? 0 : start, BigInt(input.length)).toString(16)}`;
}
