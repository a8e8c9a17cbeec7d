// In a process of its own, for the benchmark: translates one program and runs one packet, and prints what that took.
//
//   node bench/cold-start.ts OBJECT PROGRAM FRAME_HEX
import { readFileSync } from 'node:fs';
import { Host } from '../src/engine/host.ts';
import { Instance } from '../src/engine/instance.ts';
import { loadRunnable } from '../src/engine/runnable.ts';
import { readObject } from '../src/index.ts';
import { elapsed } from './measure.ts';
import { input } from './subjects.ts';

const [path, program, frame] = process.argv.slice(2) as [string, string, string];
const object = readObject(readFileSync(path));
const loaded = loadRunnable(object, program, true);
const host = new Host([{ object, loaded, verify: true }], {});
let instance: Instance;
const start = performance.now();
const translation = elapsed(() => {
  instance = new Instance(object, { engine: 'jit' }, { host, loaded, index: 0 });
});
let retval = 0;
const packet = elapsed(() => {
  ({ retval } = instance.runPacket(input(Uint8Array.fromHex(frame))));
});
const clock = 1e6 * (performance.now() - start);
console.log(JSON.stringify({ translation, packet, clock, retval, instructions: loaded.program.instructions.length }));
