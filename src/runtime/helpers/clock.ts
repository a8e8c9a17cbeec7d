import { defineHelper, type Helper } from '../../abi/helper.ts';
import { i64 } from '../../wasm/expression.ts';

/** CONFIG_HZ of the Linux 6.18 whose answers are the measure here; programs cannot ask for it. */
const HZ = 250n;
const JIFFY_NS = 1_000_000_000n / HZ;
/** Linux starts counting five minutes before 32 bits are full. */
const INITIAL_JIFFIES = (1n << 32n) - 300n * HZ;

const ktime = defineHelper({
  name: 'ktime_get_ns',
  id: 5,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: ({ clock }) => clock.monotonic(),
  emit: (routines, { machine }) => machine.clock.code?.monotonic(routines),
});

const ktimeBoot = defineHelper({
  name: 'ktime_get_boot_ns',
  id: 125,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: ({ clock }) => clock.boottime(),
  emit: (routines, { machine }) => machine.clock.code?.monotonic(routines),
});

const ktimeCoarse = defineHelper({
  name: 'ktime_get_coarse_ns',
  id: 160,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: ({ clock }) => clock.monotonicCoarse(),
  emit: (routines, { machine }) => machine.clock.code?.monotonic(routines),
});

const ktimeTai = defineHelper({
  name: 'ktime_get_tai_ns',
  id: 208,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: ({ clock }) => clock.tai(),
  emit: (routines, { machine }) => machine.clock.code?.tai(routines),
});

const jiffies = defineHelper({
  name: 'jiffies64',
  id: 118,
  prototype: { args: [], returns: 'integer', programTypes: 'all' },
  run: ({ clock }) => INITIAL_JIFFIES + clock.monotonicCoarse() / JIFFY_NS,
  emit: (routines, { machine }) => machine.clock.code?.monotonic(routines).div(i64(JIFFY_NS)).add(i64(INITIAL_JIFFIES)),
});

export const clockHelpers: readonly Helper[] = [ktime, ktimeBoot, ktimeCoarse, ktimeTai, jiffies];
