import { DYNPTR_BYTES, isMemory, readDynptr } from '../../abi/dynptr.ts';
import type { ArgumentKind } from '../../abi/helper.ts';
import type { KfuncForms } from '../../abi/kfunc.ts';
import type { Machine } from '../../abi/machine.ts';
import type { BpfMap } from '../../abi/map.ts';
import { RunError } from '../../abi/runner.ts';
import type { LinearMemory } from '../memory/memory.ts';
import type { Callee } from './callee.ts';
import { ENDINGS } from './limits.ts';
import { reach } from './reach.ts';
import type { Registers } from './registers.ts';

/** What the form of one argument is made from. `before` holds the forms of the arguments before it. */
interface Site {
  readonly machine: Machine;
  readonly registers: Registers;
  readonly memory: LinearMemory;
  readonly callee: Callee;
  readonly pc: number;
}

type Form = (site: Site, index: number, before: readonly unknown[]) => unknown;

const low: Form = ({ registers }, index) => registers.w[2 * (index + 1)]!;

function fail({ callee, pc }: Site, index: number, problem: string): never {
  throw new RunError('bad-argument', pc, `argument ${index + 1} of bpf_${callee.name} ${problem}`);
}

/** The register as an address of `size` bytes that may be touched. */
function addressed({ registers: { w }, memory, pc }: Site, index: number, size: number, write: boolean): number {
  return reach(memory, w[2 * index + 3]! * 0x1_0000_0000 + w[2 * index + 2]!, size, write, pc);
}

const isNull = ({ registers }: Site, index: number) => registers.r[index + 1] === 0n;

/** Memory whose size the next argument gives. */
const sized =
  (write: boolean, nullable: boolean): Form =>
  (site, index) => {
    const size = site.registers.w[2 * (index + 2)]!;
    if (nullable && isNull(site, index)) return size === 0 ? 0 : fail(site, index, `is null, and its size ${size}`);
    // A size of zero touches nothing: Linux then lets the pointer be anything the verifier took.
    return size === 0 ? low(site, index, []) : addressed(site, index, size, write);
  };

const fixed =
  (size: number, write: boolean): Form =>
  (site, index) =>
    addressed(site, index, size, write);

const ofMap =
  (size: (map: BpfMap) => number, write: boolean): Form =>
  (site, index, before) => {
    const bytes = size(before[0] as BpfMap);
    return bytes === 0 ? low(site, index, before) : addressed(site, index, bytes, write);
  };

/** A map, and one of a type that the helper is for. */
const mapArgument: Form = (site, index) => {
  const { registers, machine, callee } = site;
  const register = index + 1;
  const map = registers.w[2 * register + 1] === 0 ? machine.mapAt(registers.w[2 * register]!) : undefined;
  if (map === undefined) return fail(site, index, 'is no map');
  if (!map.type.helpers.has(callee.name))
    return fail(site, index, `is map ${map.spec.name}, whose type ${map.type.name} it is not for`);
  return map;
};

/** A dynptr whose memory, where it is not the packet's, the program may touch. */
const dynptr: Form = (site, index) => {
  const at = addressed(site, index, DYNPTR_BYTES, false);
  const found = readDynptr(site.memory, at);
  if (found === undefined) return fail(site, index, 'is no dynptr');
  const { kind, base, offset, size, readOnly } = found;
  if (isMemory(kind) && size !== 0) reach(site.memory, base + offset, size, !readOnly, site.pc);
  return found;
};

const FORMS: Record<ArgumentKind | keyof KfuncForms, Form> = {
  ctx: (site, index) =>
    site.registers.r[index + 1] === BigInt(site.machine.context)
      ? site.machine.context
      : fail(site, index, 'is not the context'),
  'ctx?': (site, index) => (isNull(site, index) ? 0 : FORMS.ctx(site, index, [])),
  map: mapArgument,
  key: ofMap((map) => map.spec.keySize, false),
  value: ofMap((map) => map.spec.valueSize, false),
  'value?': (site, index, before) =>
    isNull(site, index) ? 0 : ofMap((map) => map.spec.valueSize, false)(site, index, before),
  'value-out': ofMap((map) => map.spec.valueSize, true),
  mem: sized(false, false),
  'mem?': sized(false, true),
  'mem-out': sized(true, false),
  'mem-out?': sized(true, true),
  mem20: fixed(20, false),
  mem40: fixed(40, false),
  size: (site, index) => low(site, index, []) || fail(site, index, 'is a size of 0'),
  size0: low,
  'int-out': fixed(4, true),
  'long-out': fixed(8, true),
  'int-in-out': fixed(4, true),
  'const-string': fixed(1, false),
  callback: low,
  'stack?': ({ registers }, index) => registers.r[index + 1],
  record: fixed(1, false),
  'alloc-size': low,
  u64: ({ registers }, index) => registers.r[index + 1],
  u32: low,
  s32: ({ registers }, index) => registers.sw[2 * (index + 1)],
  unchecked: ({ registers }, index) => registers.r[index + 1],
  'spin-lock': fixed(4, true),
  timer: fixed(16, true),
  dynptr,
  'dynptr-out': fixed(DYNPTR_BYTES, true),
  'dynptr-stack': dynptr,
  'dynptr-record': dynptr,
  'dynptr-mem': sized(true, false),
  'buffer?': (site, index, before) => (isNull(site, index) ? 0 : sized(true, false)(site, index, before)),
  'buffer-constant': low,
  iterator: fixed(8, true),
  sock: low,
  'sock-common': low,
  'btf-id': low,
  'kptr-slot': fixed(8, true),
  'kptr?': low,
  'percpu-btf-id': low,
};

/** A function that reads the callee's arguments from the registers, checks them, runs it and gives r0. */
export function bindCall(site: Site): () => number | bigint {
  const call = bindArguments(site);
  if (!site.callee.isNarrow) return call;
  return () => {
    const result = call();
    return typeof result === 'number' ? result >>> 0 : result;
  };
}

function bindArguments(site: Site): () => number | bigint {
  const { callee, machine } = site;
  const { run } = callee;
  if (run === undefined) {
    return () => {
      throw ENDINGS.cannotRun(site.pc, callee.name);
    };
  }
  const forms = callee.args.map((kind) => FORMS[kind as keyof typeof FORMS]);
  const [first, second, third, fourth, fifth] = forms;
  const args: unknown[] = [];
  // One shape per number of arguments: spreading an array would double the cost of a call.
  switch (forms.length) {
    case 0:
      return () => run(machine);
    case 1:
      return () => run(machine, first!(site, 0, args));
    case 2:
      return () => {
        const a = (args[0] = first!(site, 0, args));
        return run(machine, a, second!(site, 1, args));
      };
    case 3:
      return () => {
        const a = (args[0] = first!(site, 0, args));
        return run(machine, a, second!(site, 1, args), third!(site, 2, args));
      };
    case 4:
      return () => {
        const a = (args[0] = first!(site, 0, args));
        return run(machine, a, second!(site, 1, args), third!(site, 2, args), fourth!(site, 3, args));
      };
    default:
      return () => {
        const a = (args[0] = first!(site, 0, args));
        const b = second!(site, 1, args);
        return run(machine, a, b, third!(site, 2, args), fourth!(site, 3, args), fifth!(site, 4, args));
      };
  }
}
