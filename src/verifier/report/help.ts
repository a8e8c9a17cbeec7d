import { helperName } from '../../abi/helper-names.ts';
import { disassemble } from '../../isa/disassemble.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { MapSpec } from '../../object/spec.ts';
import { lineAt } from '../../program/program.ts';
import type { RefusalCode } from '../refuse.ts';
import { isPointer } from '../state/register.ts';
import { type Case, count, type Sentences } from './case.ts';
import { EXPLANATIONS } from './codes.ts';
import { contextAccess, misaligned, outOfBounds, packetBounds, readOnly, STACK, stackAccess } from './memory.ts';
import type { Loss } from './slice.ts';
import { nameState } from './states.ts';

export function reasonFor(about: Case): string {
  return special(about).reason ?? about.refusal.message;
}

/** The sentence for this very case, else the refusal's own, else what helps in most cases. */
export function helpFor(about: Case): string {
  const { program, refusal } = about;
  const own = special(about).help ?? refusal.help ?? EXPLANATIONS[refusal.code as RefusalCode].help;
  const said = own.replace(/return …;?/, `return ${LET_PASS[program.type] ?? '0'};`);
  return /[.;]$/.test(said) ? said : `${said}.`;
}

/** What a program returns that does not want to decide, by type. */
const LET_PASS: Readonly<Record<string, string>> = {
  xdp: 'XDP_PASS',
  sched_cls: 'TC_ACT_OK',
  sched_act: 'TC_ACT_OK',
  cgroup_skb: '1',
  lwt_in: 'BPF_OK',
  lwt_out: 'BPF_OK',
  lwt_xmit: 'BPF_OK',
  lwt_seg6local: 'BPF_OK',
};

function special(about: Case): Sentences {
  if (about.loss?.kind === 'packet-moved') return packetMoved(about, about.loss);
  return SPECIAL[about.refusal.code as RefusalCode]?.(about) ?? {};
}

const SPECIAL: { readonly [Code in RefusalCode]?: (about: Case) => Sentences } = {
  'uninitialised-register': clobbered,
  'packet-bounds': packetBounds,
  'out-of-bounds': outOfBounds,
  'unreleased-reference': unreleased,
  'context-access': contextAccess,
  'helper-not-allowed': helperTypes,
  'helper-argument': helperArgument,
  'write-read-only': readOnly,
  'map-mismatch': mapHelpers,
  'too-complex': ({ refusal }) => ({
    reason: refusal.message.replace(/\d{4,}/, (number) => Number(number).toLocaleString('en-US')),
    help: EXPLANATIONS['too-complex'].help,
  }),
  'stack-overflow': ({ refusal }) => ({
    reason: refusal.message.replace(
      /^the frames down to (.*) need/,
      'together, $1 and the functions that call it need',
    ),
    help: EXPLANATIONS['stack-overflow'].help,
  }),
  'unreachable-instruction': () => ({ help: EXPLANATIONS['unreachable-instruction'].help }),
  'pointer-arithmetic': arithmetic,
  'pointer-unbounded': moved,
  'misaligned-access': misaligned,
  'stack-access': (about) => stackArgument(about) ?? stackAccess(about),
  'unbounded-access': size,
  'return-value': returned,
};

function packetMoved({ refusal }: Case, { callee, pc, register }: Loss): Sentences {
  return {
    reason:
      refusal.code === 'not-a-pointer'
        ? `${register} was a pointer into the packet until ${callee}, at instruction ${pc}, may have moved the packet; since then it is a mere number`
        : undefined,
    help: `After ${callee}, read data and data_end from the context again, and compare again.`,
  };
}

function clobbered({ loss, program, refusal }: Case): Sentences {
  if (loss === null) {
    if (program.instructions[refusal.pc ?? -1]?.kind !== 'exit') return {};
    return { reason: 'the program ends here without a return value: r0 was never written on this path' };
  }
  return {
    reason: `${loss.register} is read, but the call of ${loss.callee} at instruction ${loss.pc} took its value away`,
    help: 'Every call takes the values of r1 to r5 away: keep what you need in r6 to r9 or on the stack.',
  };
}

function arithmetic({ program, refusal }: Case): Sentences {
  const instruction = program.instructions[refusal.pc ?? -1];
  if (instruction?.kind !== 'alu' || instruction.op === 'add' || instruction.op === 'sub') return {};
  if (!refusal.message.includes('a number')) return {};
  const text = disassemble(instruction, refusal.pc!);
  return {
    reason: `r${instruction.dst} is a pointer, and ${text} is no operation for one: numbers can be added and subtracted only`,
  };
}

function moved({ program, refusal, end }: Case): Sentences {
  const instruction = program.instructions[refusal.pc ?? -1];
  if (end === null || instruction?.kind !== 'alu' || !('reg' in instruction.src)) return {};
  const { registers } = end.frames[end.frames.length - 1]!;
  const [pointer, by] = isPointer(registers[instruction.dst]!)
    ? [instruction.dst, instruction.src.reg]
    : [instruction.src.reg, instruction.dst];
  return {
    reason: `r${pointer}, ${nameState(registers[pointer]!)}, is moved by r${by}, which is ${nameState(registers[by]!)}: how far cannot be known`,
  };
}

const RELEASED_BY: Readonly<Record<string, string>> = {
  ringbuf_reserve: 'bpf_ringbuf_submit or bpf_ringbuf_discard',
  ringbuf_reserve_dynptr: 'bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr',
  sk_lookup_tcp: 'bpf_sk_release',
  sk_lookup_udp: 'bpf_sk_release',
  skc_lookup_tcp: 'bpf_sk_release',
  xdp_ct_lookup: 'bpf_ct_release',
  skb_ct_lookup: 'bpf_ct_release',
  xdp_ct_alloc: 'bpf_ct_insert_entry',
  skb_ct_alloc: 'bpf_ct_insert_entry',
  ct_insert_entry: 'bpf_ct_release',
  task_from_pid: 'bpf_task_release',
  cgroup_from_id: 'bpf_cgroup_release',
  obj_new_impl: 'bpf_obj_drop',
  list_pop_front: 'bpf_obj_drop',
  list_pop_back: 'bpf_obj_drop',
  rbtree_remove: 'bpf_obj_drop',
};
/** What gives nothing back that could be null: it is released on every path. */
const NEVER_NULL: ReadonlySet<string> = new Set(['ringbuf_reserve_dynptr']);

function unreleased({ program, end }: Case): Sentences {
  const [first] = end?.references ?? [];
  const call = first === undefined ? undefined : program.instructions[first.pc];
  if (first === undefined || call?.kind !== 'call') return {};
  const { target } = call;
  const symbol = target.type === 'kfunc' ? program.kernelSymbols[target.btfId]?.name.replace(/^bpf_/, '') : undefined;
  const name = target.type === 'helper' ? helperName(target.id) : symbol;
  if (name === undefined) return {};
  const line = lineAt(program, first.pc);
  const where = line === undefined ? `instruction ${first.pc}` : `line ${line.line}`;
  const by = RELEASED_BY[name];
  const when = NEVER_NULL.has(name) ? '' : ` on which bpf_${name} did not return null`;
  return {
    reason: `the program ends here without having released what bpf_${name} gave it at ${where}`,
    help: by === undefined ? undefined : `Call ${by} on every path${when}.`,
  };
}

function callOf({ program, refusal }: Case): Extract<Instruction, { kind: 'call' }> | null {
  const instruction = program.instructions[refusal.pc ?? -1];
  return instruction?.kind === 'call' ? instruction : null;
}

function helperTypes(about: Case): Sentences {
  const target = callOf(about)?.target;
  if (target?.type !== 'helper') return {};
  const types = about.catalogue.helpers.get(target.id)?.prototype.programTypes;
  if (types === undefined || types === 'all') return {};
  return { help: `Programs that may call bpf_${helperName(target.id)}: ${types.join(', ')}.` };
}

/** Which helpers take the map that was given. */
function mapHelpers({ catalogue, end }: Case): Sentences {
  const registers = end?.frames.at(-1)?.registers ?? [];
  const given = registers.slice(1, 6).find((register) => register.kind === 'map')?.target as MapSpec | undefined;
  const helpers = given === undefined ? [] : [...(catalogue.mapTypes.get(given.type)?.helpers ?? [])];
  if (given === undefined || helpers.length === 0) return {};
  return { help: `Helpers that take map ${given.name}: ${helpers.map((name) => `bpf_${name}`).join(', ')}.` };
}

/** A number where the address of something is asked for, or a size that may be none. */
function helperArgument(about: Case): Sentences {
  const target = callOf(about)?.target;
  const size = /^the size in r(\d) is .*: it may be (0|negative)$/.exec(about.refusal.message);
  if (target?.type === 'helper' && size !== null && about.end !== null) {
    const index = Number(size[1]);
    const register = about.end.frames[about.end.frames.length - 1]!.registers[index]!;
    const not = size[2] === '0' ? 'a size of 0' : 'a negative size';
    return {
      reason: `the size in r${index} is ${nameState(register)}, and bpf_${helperName(target.id)} does not take ${not}`,
    };
  }
  const argument = /^argument (\d) /.exec(about.refusal.message);
  if (target?.type !== 'helper' || argument === null || about.end === null) return {};
  const index = Number(argument[1]);
  const kind = about.catalogue.helpers.get(target.id)?.prototype.args[index - 1] ?? '';
  const { frames } = about.end;
  const register = frames[frames.length - 1]!.registers[index]!;
  const what = POINTED_TO[kind];
  if (what === undefined) return {};
  return {
    reason: `argument ${index} of bpf_${helperName(target.id)}, r${index}, is ${nameState(register)}: it must be the address of ${what}${register.nullable ? ', never null' : ''}`,
    help:
      register.kind === 'scalar'
        ? `Put ${what} into a variable and give its address: &variable`
        : register.nullable
          ? 'Compare the pointer with null first: if (!pointer) return …'
          : undefined,
  };
}

/** A size that may be so great that no memory is. */
function size({ refusal, end }: Case): Sentences {
  const found = /^the size in r(\d)/.exec(refusal.message);
  if (found === null || end === null) return {};
  const register = end.frames[end.frames.length - 1]!.registers[Number(found[1])]!;
  return {
    reason: `the size in r${found[1]} is ${nameState(register)}, so that as many as ${register.value.umax} bytes would have to be there`,
    help: 'Compare it with the size of the buffer first: if (size > sizeof(buffer)) return …',
  };
}

/** Stack that a helper is given, and that is not all there. */
function stackArgument(about: Case): Sentences | null {
  const found = /^(\d+) bytes of stack at r10([+-]\d+)/.exec(about.refusal.message);
  const target = callOf(about)?.target;
  if (found === null || target?.type !== 'helper') return null;
  const at = Number(found[2]);
  const below = at < -STACK;
  const there = below ? `the stack begins at r10 - ${STACK}` : `there are ${count(Math.max(0, -at))} up to its end`;
  return {
    reason: `bpf_${helperName(target.id)} is given ${count(Number(found[1]))} of the stack from r10${at < 0 ? ' - ' : ' + '}${Math.abs(at)} on, and ${there}`,
    help: below
      ? 'Keep large data in a map: an array of one element, per CPU.'
      : 'Give a buffer of that size, or a smaller size.',
  };
}

function returned({ program, refusal, end }: Case): Sentences {
  const found = /^r0 is .* at exit: it must be (\d+) to (\d+)$/.exec(refusal.message);
  const register = end?.frames[0]?.registers[0];
  if (found === null || register === undefined) return {};
  return {
    reason: `the program returns ${nameState(register)}, and a program of type ${program.type} returns ${found[1]} to ${found[2]}`,
  };
}

const POINTED_TO: Readonly<Record<string, string>> = {
  key: 'a key of the map',
  value: 'a value of the map',
  'value?': 'a value of the map',
  mem: 'some bytes',
  'mem?': 'some bytes',
  'mem-out': 'room for some bytes',
  'mem-out?': 'room for some bytes',
};
