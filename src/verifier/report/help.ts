import type { Catalogue } from '../../abi/catalogue.ts';
import { helperName } from '../../abi/helper-names.ts';
import type { Refusal } from '../../abi/verdict.ts';
import { disassemble } from '../../isa/disassemble.ts';
import type { Instruction } from '../../isa/instruction.ts';
import type { MapSpec } from '../../object/spec.ts';
import { lineAt, type Program } from '../../program/program.ts';
import { OTHER_TYPES } from '../other-types.ts';
import type { RefusalCode } from '../refuse.ts';
import { isPacket, type Register, signedMin, unsignedMax } from '../state/register.ts';
import type { Trail } from '../state/trail.ts';
import { EXPLANATIONS } from './codes.ts';
import type { Loss } from './slice.ts';
import { nameState } from './states.ts';

/** All that a sentence about a refusal can be made of. */
export interface Case {
  readonly program: Program;
  readonly catalogue: Catalogue;
  readonly refusal: Refusal;
  readonly loss: Loss | null;
  /** The state at which the program is refused; null where no path led there. */
  readonly end: Trail | null;
}

interface Sentences {
  readonly reason?: string | undefined;
  readonly help?: string | undefined;
}

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
      'the functions that run when $1 runs, itself included, need',
    ),
    help: EXPLANATIONS['stack-overflow'].help,
  }),
  'unreachable-instruction': () => ({ help: EXPLANATIONS['unreachable-instruction'].help }),
  'pointer-arithmetic': arithmetic,
  'misaligned-access': misaligned,
  'stack-access': stackAccess,
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

function clobbered({ loss }: Case): Sentences {
  if (loss === null) return {};
  return {
    reason: `${loss.register} is read, but the call of ${loss.callee} at instruction ${loss.pc} took its value away`,
    help: 'Every call takes the values of r1 to r5 away: keep what you need in r6 to r9 or on the stack.',
  };
}

interface AccessAt {
  readonly base: Register;
  readonly offset: number;
  readonly size: number;
  readonly verb: 'reads' | 'writes';
}

/** The load or store that is refused. */
function accessOf({ program, refusal, end }: Case): AccessAt | null {
  const instruction = program.instructions[refusal.pc ?? -1];
  if (end === null || (instruction?.kind !== 'load' && instruction?.kind !== 'store')) return null;
  const index = instruction.kind === 'load' ? instruction.src : instruction.dst;
  const { registers } = end.frames[end.frames.length - 1]!;
  const { offset, size } = instruction;
  return { base: registers[index]!, offset, size, verb: instruction.kind === 'load' ? 'reads' : 'writes' };
}

const bytes = (from: number, size: number): string =>
  size === 1 ? `byte ${from}` : `bytes ${from} to ${from + size - 1}`;
const count = (number: number): string => (number === 1 ? '1 byte' : `${number} bytes`);

function packetBounds(about: Case): Sentences {
  const access = accessOf(about);
  if (access === null || !isPacket(access.base)) return {};
  const { base, offset, size, verb } = access;
  const known = Math.max(0, base.extent);
  if (!base.value.isConst) {
    const there =
      known === 0
        ? `no comparison has shown ${size === 1 ? 'it' : 'them'} to be there`
        : `of what follows there, only ${count(known)} are known to be there`;
    return {
      reason: `the program ${verb} ${count(size)} at ${nameState(base)}${offset === 0 ? '' : `, ${offset} further`}: ${there}`,
      help: `A comparison counts for the pointer it was made with. Compare this one: if ((void *)pointer + ${offset + size} > data_end) return …`,
    };
  }
  const first = base.offset + offset;
  const edge = base.kind === 'packet' ? 'data_end' : 'data';
  const there =
    known === 0
      ? `no comparison with ${edge} has shown any byte to be there`
      : `only the first ${known} are known to be there`;
  return {
    reason: `the program ${verb} ${bytes(first, size)} of the packet, and ${there}`,
    help: `Check that the packet is long enough: if (${base.kind === 'packet' ? 'data' : 'data_meta'} + ${first + size} > ${edge}) return …`,
  };
}

/** Memory of a known size, by name. */
function memoryOf({ kind, target, extent }: Register): { readonly name: string; readonly size: number } | null {
  if (kind === 'map-value')
    return { name: `a value of map ${(target as MapSpec).name}`, size: (target as MapSpec).valueSize };
  return kind === 'memory' ? { name: 'the memory', size: extent } : null;
}

function outOfBounds(about: Case): Sentences {
  const access = accessOf(about);
  const memory = access === null ? null : memoryOf(access.base);
  if (access === null || memory === null) return {};
  const { base, offset, size, verb } = access;
  const start = base.offset + offset;
  const least = start + signedMin(base.value);
  const has = `${memory.name}, which has ${count(memory.size)} (0 to ${memory.size - 1})`;
  if (base.value.isConst) {
    const room = memory.size - size;
    const help = room < 0 ? undefined : `${count(size)} fit at offset 0 to ${room}.`;
    return { reason: `the program ${verb} ${bytes(least, size)} of ${has}`, help };
  }
  const far = least < 0 ? `${-least} bytes before the start` : `byte ${start + unsignedMax(base.value) + size - 1}`;
  return {
    reason: `the program ${verb} ${count(size)} at a place that is not known exactly, and may reach ${far} of ${has}`,
    help:
      least < 0
        ? 'Use an unsigned index, or check that it is not negative'
        : 'Check the index before the access, so that even its greatest value stays within',
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

/** An access at a known place of the stack: bytes from r10, which is the end. */
function stackPlace(about: Case): (AccessAt & { readonly at: number; readonly sentence: string }) | null {
  const access = accessOf(about);
  if (access?.base.kind !== 'stack' || !access.base.value.isConst) return null;
  const at = access.base.offset + access.offset + signedMin(access.base.value);
  const address = at === 0 ? 'r10' : at < 0 ? `r10 - ${-at}` : `r10 + ${at}`;
  return {
    ...access,
    at,
    sentence: `the program ${access.verb} ${count(access.size)} at the stack address ${address}`,
  };
}

function misaligned(about: Case): Sentences {
  const place = stackPlace(about);
  if (place === null) return {};
  return {
    reason: `${place.sentence}, and ${Math.abs(place.at)} is no multiple of ${place.size}`,
    help: EXPLANATIONS['misaligned-access'].help,
  };
}

const STACK = 512;

function stackAccess(about: Case): Sentences {
  const place = stackPlace(about);
  if (place === null || (place.at >= -STACK && place.at + place.size <= 0)) return {};
  return {
    reason: `${place.sentence}; the stack is from r10 - ${STACK} to r10 - 1`,
    help:
      place.at < -STACK
        ? 'Keep large data in a map: an array of one element, per CPU.'
        : 'The stack is below r10: use a negative offset, or check the index before the access.',
  };
}

function readOnly(about: Case): Sentences {
  const base = accessOf(about)?.base;
  if (base?.kind !== 'map-value') return {};
  const { name, data } = base.target as MapSpec;
  if (data !== null) {
    return {
      reason: `the program writes to ${name}, which holds the constants of the object`,
      help: 'Leave const away where the variable is defined, or write to another one.',
    };
  }
  return {
    reason: `the program writes to a value of map ${name}, which programs can only read`,
    help: 'The map is made with BPF_F_RDONLY_PROG: leave that flag away, or write to another map.',
  };
}

const RELEASED_BY: Readonly<Record<string, string>> = {
  ringbuf_reserve: 'bpf_ringbuf_submit or bpf_ringbuf_discard',
  sk_lookup_tcp: 'bpf_sk_release',
  sk_lookup_udp: 'bpf_sk_release',
  skc_lookup_tcp: 'bpf_sk_release',
};

function unreleased({ program, end }: Case): Sentences {
  const [first] = end?.references ?? [];
  const call = first === undefined ? undefined : program.instructions[first.pc];
  if (first === undefined || call?.kind !== 'call' || call.target.type !== 'helper') return {};
  const name = helperName(call.target.id) ?? '';
  const line = lineAt(program, first.pc);
  const where = line === undefined ? `instruction ${first.pc}` : `line ${line.line}`;
  const by = RELEASED_BY[name];
  return {
    reason: `the program ends here without having released what bpf_${name} gave it at ${where}`,
    help: by === undefined ? undefined : `Call ${by} on every path on which bpf_${name} did not return null.`,
  };
}

function contextAccess({ program, catalogue, end, ...about }: Case): Sentences {
  const type = catalogue.programTypes.get(program.type) ?? OTHER_TYPES[program.type];
  const access = accessOf({ program, catalogue, end, ...about });
  if (type === undefined || access === null || access.base.offset !== 0 || !access.base.value.isConst) return {};
  const allowed = access.verb === 'reads' ? type.readable : type.writable;
  const { struct } = type.context;
  const named = `A program of type ${program.type} ${access.verb} of struct ${struct}`;
  return { help: allowed.size === 0 ? `${named} nothing.` : `${named} only: ${[...allowed].join(', ')}.` };
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
  const registers = end?.frames[end.frames.length - 1]!.registers ?? [];
  const given = registers.slice(1, 6).find((register) => register.kind === 'map')?.target as MapSpec | undefined;
  const helpers = given === undefined ? [] : [...(catalogue.mapTypes.get(given.type)?.helpers ?? [])];
  if (given === undefined || helpers.length === 0) return {};
  return { help: `Helpers that take map ${given.name}: ${helpers.map((name) => `bpf_${name}`).join(', ')}.` };
}

/** A number where the address of something is asked for. */
function helperArgument(about: Case): Sentences {
  const target = callOf(about)?.target;
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

const POINTED_TO: Readonly<Record<string, string>> = {
  key: 'a key of the map',
  value: 'a value of the map',
  'value?': 'a value of the map',
  mem: 'some bytes',
  'mem?': 'some bytes',
  'mem-out': 'room for some bytes',
  'mem-out?': 'room for some bytes',
};
