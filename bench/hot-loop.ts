import type { Instance } from '../src/index.ts';
import { ModuleWriter } from '../src/wasm/module.ts';
import { Code } from '../src/wasm/writer.ts';
import { elapsed } from './measure.ts';
import { input } from './subjects.ts';

/**
 * Runs a program on one packet again and again from WebAssembly, as the replay loop does, and as BPF_PROG_TEST_RUN
 * repeats it: nothing is put back in between. Gives nanoseconds, and the low 32 bits of r0 of the last run.
 */
export function hotLoop(instance: Instance, frame: Uint8Array): (runs: number) => { ns: number; retval: number } {
  // Once, so that context and packet stand.
  instance.runPacket(input(frame));
  const { run, type, memory, writeRun } = instance.native!;
  const module = new ModuleWriter();
  module.importMemory('memory', memory.buffer.byteLength / 65536);
  const target = module.importFunction('run', type);
  const code = new Code();
  code.block('loop');
  writeRun(code, target, 0);
  code.set(1).get(0).i32(1).op('i32.sub').tee(0).branch('br_if', 1).end().get(1);
  module.export('repeat', module.body({ parameters: ['i32'], results: ['i64'] }, [[1, 'i64']], code));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { e: { run, memory } });
  const repeat = exports.repeat as (runs: number) => bigint;
  return (runs) => {
    let r0 = 0n;
    const ns = elapsed(() => {
      r0 = repeat(runs);
    });
    return { ns, retval: Number(r0 & 0xffff_ffffn) };
  };
}
