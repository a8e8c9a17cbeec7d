import type { Instance } from '../src/index.ts';
import { Jit } from '../src/runtime/jit/jit.ts';
import { ModuleWriter } from '../src/wasm/module.ts';
import { Code } from '../src/wasm/writer.ts';
import { elapsed } from './measure.ts';
import { input } from './subjects.ts';

const ENTRY = { parameters: [], results: ['i64'] } as const;

/**
 * Runs a program on one packet again and again from WebAssembly, as the replay loop does, and as BPF_PROG_TEST_RUN
 * repeats it: nothing is put back in between. Gives nanoseconds, and the low 32 bits of r0 of the last run.
 */
export function hotLoop(instance: Instance, frame: Uint8Array): (runs: number) => { ns: number; retval: number } {
  const { table, index } = entryOf(instance, frame);
  const module = new ModuleWriter();
  module.importTable('table');
  const code = new Code();
  code
    .block('loop')
    .i32(index)
    .op('call_indirect')
    .unsigned(module.type(ENTRY))
    .unsigned(0)
    .set(1)
    .get(0)
    .i32(1)
    .op('i32.sub')
    .tee(0)
    .branch('br_if', 1)
    .end()
    .get(1);
  module.export('repeat', module.body({ parameters: ['i32'], results: ['i64'] }, [[1, 'i64']], code));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { e: { table } });
  const repeat = exports.repeat as (runs: number) => bigint;
  return (runs) => {
    let r0 = 0n;
    const ns = elapsed(() => {
      r0 = repeat(runs);
    });
    return { ns, retval: Number(r0 & 0xffff_ffffn) };
  };
}

/** Sends the packet once, so that context and packet stand, and watches what the instance calls. */
function entryOf(instance: Instance, frame: Uint8Array): { table: WebAssembly.Table; index: number } {
  const { run } = Jit.prototype;
  let found: { table: WebAssembly.Table; index: number } | undefined;
  Jit.prototype.run = function (program, ...rest) {
    found = this.entry(program);
    return run.call(this, program, ...rest);
  };
  instance.runPacket(input(frame));
  Jit.prototype.run = run;
  return found!;
}
