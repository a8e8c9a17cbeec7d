// `node tools/record-golden.ts [NAME…]`: asks the running kernel (root, BPF) what every example program and every
// program of xdp-tools makes of every capture, and writes test/differential/golden/NAME.json.

import { record } from '../test/differential/golden.ts';
import { kernelAvailable } from '../test/differential/oracle.ts';
import { allCaptures, examples, xdpTools } from '../test/differential/subjects.ts';

const available = kernelAvailable();
if (available !== true) {
  console.error(`The kernel cannot be asked: ${available}`);
  process.exit(2);
}
const names = process.argv.slice(2);
const subjects = [...examples(), ...xdpTools()].filter(({ name }) => names.length === 0 || names.includes(name));
for (const subject of subjects) {
  record(subject, allCaptures());
  console.log(`${subject.name}: ${subject.programs.length} programs over ${allCaptures().length} captures`);
}
