// The verifier beside Linux's, over the programs of the kernel's selftests, Debian's xdp-tools and the examples.
//
//   node tools/peer-suite.ts                  build what is missing, compare with the recorded verdicts, print the agreement
//     --kernel          ask the running kernel (needs root) instead of the record: its reasons, and times of the same run
//     --record          ask the running kernel and keep what it says in test/peer/linux-verdicts.json
//     --only FILE       one object, by its name (verifier_and)
//     --type TYPE       one program type, by libbpf's name
//     --grep TEXT       programs whose file/name contains TEXT
//     --list            each disagreement, both sides' words (Linux's with --kernel)
//     --json            comparisons as JSON lines, instead of the figures
//     --no-build        use the objects that are there
import { parseArgs } from 'node:util';
import { build } from './peer-suite/build.ts';
import { type Comparison, compare, nameOf } from './peer-suite/compare.ts';
import { peerObjects } from './peer-suite/groups.ts';
import { askLinux, recordedVerdicts, recordVerdicts } from './peer-suite/linux.ts';
import { RECORDED } from './peer-suite/places.ts';
import { disagreements, report } from './peer-suite/print.ts';

const { values } = parseArgs({
  options: {
    kernel: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    only: { type: 'string' },
    type: { type: 'string' },
    grep: { type: 'string' },
    list: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
  },
});

try {
  await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  if (!values['no-build']) await build((what) => console.error(`${what} …`));
  const only = values.only?.replace(/(\.[co])+$/, '');
  const objects = peerObjects().filter(({ file }) => only === undefined || file.replace(/(\.bpf)?\.o$/, '') === only);
  if (objects.length === 0) throw new Error(`no object ${only ?? ''} in the suite`);

  if (values.record && only !== undefined) throw new Error('--record is for the whole suite, without --only');
  const recorded = values.kernel || values.record ? undefined : recordedVerdicts();
  const asked = recorded === undefined ? askLinux(objects) : [];
  if (values.record) {
    recordVerdicts(asked);
    console.error(`recorded ${asked.length} verdicts in ${RECORDED}`);
  }
  const chosen = (recorded ?? asked).filter(
    (one) =>
      (values.type === undefined || one.type === values.type) &&
      (values.grep === undefined || nameOf(one).includes(values.grep)),
  );
  print(compare(chosen, objects), new Map(asked.map((one) => [nameOf(one), one.reason])));
}

function print(comparisons: readonly Comparison[], reasons: ReadonlyMap<string, string>): void {
  if (values.json) {
    for (const comparison of comparisons) console.log(JSON.stringify(comparison));
    return;
  }
  if (values.list) for (const line of disagreements(comparisons, reasons)) console.log(line);
  console.log(report(comparisons));
}
