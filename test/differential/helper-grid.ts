/**
 * A grid of small programs, one call of a helper each: every helper from every type of program that may call it, with
 * arguments as its prototype wants them, and then with each argument replaced by something else. What Linux says of
 * each is kept in `golden/helper-grid.json`.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { ArgumentKind, Helper } from '../../src/abi/helper.ts';
import { HELPER_NAMES, helperName } from '../../src/abi/helper-names.ts';
import { mapTypeId } from '../../src/abi/map-types.ts';
import { catalogue } from '../../src/engine/catalogue.ts';
import { mapSpecOf } from '../../src/engine/testing.ts';
import type { KernelSymbol } from '../../src/object/spec.ts';
import { type Program, programFromAssembly } from '../../src/program/program.ts';
import { callFault } from '../../src/verifier/structure/calls.ts';
import { verify } from '../../src/verifier/verify.ts';
import { forKernel } from './kernel-btf.ts';
import { askRaw, type RawAnswer } from './oracle.ts';

/** libbpf's names, with the attach type where it decides. */
const TYPES = [
  'xdp', 'sched_cls', 'sched_act', 'socket_filter', 'cgroup_skb@cgroup_inet_ingress', 'cgroup_skb@cgroup_inet_egress',
  'lwt_in', 'lwt_out', 'lwt_xmit', 'lwt_seg6local', 'flow_dissector', 'sk_skb',
] as const; // biome-ignore format: a list

/** What may stand in an argument, as the code that puts it there; `$` is the register. */
const CANDIDATES: Readonly<Record<string, string>> = {
  context: '$ = r6',
  zero: '$ = 0',
  eight: '$ = 8',
  number: '$ = r7',
  stack: '$ = r10\n$ += -64',
  'end of stack': '$ = r10\n$ += -4',
  value: '$ = map[array][0]+0 ll',
  hash: '$ = map[hash] ll',
  packet: '$ = r9',
  socket: '$ = r8',
};

const map = (type: Parameters<typeof mapTypeId>[0], keySize: number, valueSize: number) =>
  mapSpecOf({ name: type, type: mapTypeId(type), keySize, valueSize, maxEntries: type.includes('ringbuf') ? 4096 : 1 });

const MAPS = [
  map('array', 4, 48), map('hash', 8, 48), map('prog_array', 4, 4), map('perf_event_array', 4, 4), map('queue', 0, 48),
  map('devmap', 4, 4), map('sockmap', 4, 4), map('sockhash', 4, 4), map('cgroup_array', 4, 4), map('stack_trace', 4, 8),
  map('ringbuf', 0, 0), map('percpu_array', 4, 48), map('user_ringbuf', 0, 0),
]; // biome-ignore format: a list

/** The map that a helper is given first, where it does not take a hash. */
const MAP_OF: Readonly<Record<string, string>> = {
  tail_call: 'prog_array', perf_event_output: 'perf_event_array', perf_event_read: 'perf_event_array', skb_output: 'perf_event_array',
  perf_event_read_value: 'perf_event_array', map_push_elem: 'queue', map_pop_elem: 'queue', map_peek_elem: 'queue',
  redirect_map: 'devmap', sk_redirect_map: 'sockmap', sk_redirect_hash: 'sockhash', skb_under_cgroup: 'cgroup_array',
  current_task_under_cgroup: 'cgroup_array', get_stackid: 'stack_trace', ringbuf_output: 'ringbuf', ringbuf_reserve: 'ringbuf',
  ringbuf_query: 'ringbuf', ringbuf_reserve_dynptr: 'ringbuf', map_lookup_percpu_elem: 'percpu_array', user_ringbuf_drain: 'user_ringbuf',
}; // biome-ignore format: a table

/** What releases the result of a helper. */
const RELEASED_BY: Readonly<Record<string, string>> = {
  ringbuf_reserve: 'r2 = 0\ncall bpf_ringbuf_discard',
  sk_lookup_tcp: 'call bpf_sk_release',
  sk_lookup_udp: 'call bpf_sk_release',
  skc_lookup_tcp: 'call bpf_sk_release',
};

/** The socket of the context, where the type has one: offsetof(struct __sk_buff, sk). */
const SOCKET = 'r8 = *(u64 *)(r6 + 168)\nif r8 == 0 goto out';
const WITHOUT_SOCKET: ReadonlySet<string> = new Set(['xdp', 'flow_dissector']);
/** Where the contexts have data and data_end; types that are missing have no packet to point into. */
const PACKET: Readonly<Record<string, readonly [number, number]>> = { xdp: [0, 4] };
const SKB_PACKET = [76, 80] as const;
const WITHOUT_PACKET: ReadonlySet<string> = new Set(['socket_filter']);

export interface Question {
  /** `sk_lookup_tcp: 2 is zero`, or `sk_lookup_tcp` as its prototype wants it. */
  readonly name: string;
  readonly type: string;
  readonly program: Program;
}

const base = (type: string): string => type.replace(/@.*/, '');
const nameOf = (type: string): string => type.replace(/@cgroup_inet_/, ' ');

/** One call with nothing in its registers but the context: may a program of the type make it at all? */
export function bareQuestions(): Question[] {
  return TYPES.flatMap((type) =>
    HELPER_NAMES.slice(1).map((name, i) => ({
      name,
      type: nameOf(type),
      program: assemble(type, `call ${i + 1}\nr0 = 0\nexit`),
    })),
  );
}

/** The same of kernel functions. */
export function kfuncQuestions(): Question[] {
  return TYPES.flatMap((type) =>
    [...catalogue.kfuncs.keys()].map((name) => {
      const kernelSymbols = [{ name, kind: 'kfunc' as const, weak: false, btfId: null }];
      return { name, type: nameOf(type), program: assemble(type, 'call kfunc[0]\nr0 = 0\nexit', kernelSymbols) };
    }),
  );
}

/** Calls with arguments, for helpers that the type may call. */
export function argumentQuestions(): Question[] {
  return TYPES.flatMap((type) =>
    [...catalogue.helpers.values()]
      .filter((helper) => !SKIPPED.has(helper.name) && isFor(helper, type))
      .flatMap((helper) => questionsOf(helper, type)),
  );
}

/** bpf_trace_printk and its like read their format; callbacks need functions; these objects need BTF. */
const SKIPPED: ReadonlySet<string> = new Set([
  'trace_vprintk', 'loop', 'for_each_map_elem', 'timer_init', 'timer_set_callback', 'timer_start', 'timer_cancel',
  'kptr_xchg', 'find_vma', 'user_ringbuf_drain', 'snprintf', 'spin_lock', 'spin_unlock', 'per_cpu_ptr', 'this_cpu_ptr',
]); // biome-ignore format: a list

function isFor(helper: Helper, type: string): boolean {
  const { programTypes } = helper.prototype;
  return programTypes === 'all' || programTypes.includes(base(type));
}

function questionsOf(helper: Helper, type: string): Question[] {
  const wanted = helper.prototype.args.map((kind) => plain(helper, kind));
  const named = (text: string, args: readonly string[]): Question => ({
    name: text,
    type: nameOf(type),
    program: assemble(type, textOf(helper, type, args)),
  });
  const others = wanted.flatMap((_, at) =>
    Object.entries(CANDIDATES)
      .filter(([candidate]) => isThere(candidate, type))
      .map(([candidate, code]) => named(`${helper.name}: ${at + 1} is ${candidate}`, wanted.with(at, code))),
  );
  return [named(helper.name, wanted), ...others];
}

function isThere(candidate: string, type: string): boolean {
  if (candidate === 'packet') return !WITHOUT_PACKET.has(base(type));
  return candidate !== 'socket' || !WITHOUT_SOCKET.has(base(type));
}

/** What an argument of the kind is to be. */
function plain({ name }: Helper, kind: ArgumentKind): string {
  if (kind.startsWith('ctx')) return CANDIDATES.context!;
  if (kind === 'map') return `$ = map[${MAP_OF[name] ?? 'hash'}] ll`;
  if (kind.startsWith('size') || kind === 'alloc-size') return CANDIDATES.eight!;
  if (kind.startsWith('sock')) return CANDIDATES.socket!;
  return kind === 'u64' || kind === 'u32' || kind === 's32' ? CANDIDATES.zero! : CANDIDATES.stack!;
}

function textOf(helper: Helper, type: string, args: readonly string[]): string {
  const needs = (register: string) => args.some((code) => code.endsWith(register));
  const [data, end] = PACKET[base(type)] ?? SKB_PACKET;
  const release = RELEASED_BY[helper.name];
  return [
    'r6 = r1',
    needs('r9')
      ? `r9 = *(u32 *)(r6 + ${data})\nr2 = *(u32 *)(r6 + ${end})\nr3 = r9\nr3 += 48\nif r3 > r2 goto out`
      : '',
    needs('r8') && !WITHOUT_SOCKET.has(base(type)) ? SOCKET : '',
    needs('r7') ? `call bpf_get_prandom_u32\nr7 = r0` : '',
    ...[8, 16, 24, 32, 40, 48, 56, 64].map((at) => `*(u64 *)(r10 - ${at}) = 0`),
    ...args.map((code, i) => code.replaceAll('$', `r${i + 1}`)),
    `call bpf_${helper.name}`,
    release === undefined ? '' : `if r0 == 0 goto out\nr1 = r0\n${release}`,
    'out: r0 = 0\nexit',
  ]
    .filter((line) => line !== '')
    .join('\n');
}

function assemble(type: string, text: string, kernelSymbols: readonly KernelSymbol[] = []): Program {
  const attachType = type.split('@')[1];
  return programFromAssembly(text, {
    type: base(type),
    maps: MAPS,
    kernelSymbols,
    helper: (id) => `bpf_${helperName(id)}`,
    ...(attachType === undefined ? {} : { attachType }),
  });
}

const RAW_MAPS = MAPS.map(({ name, keySize, valueSize, maxEntries }) => ({
  type: name,
  keySize,
  valueSize,
  maxEntries,
}));

/** Rows of a grid: one digit a question, in order, by the type of the program. */
export type Rows = Readonly<Record<string, string>>;

function rows(questions: readonly Question[], answer: (questions: readonly Question[]) => readonly boolean[]): Rows {
  const byType = [...Map.groupBy(questions, ({ type }) => type)];
  return Object.fromEntries(byType.map(([type, list]) => [type, answer(list).map(Number).join('')]));
}

/** A program array belongs to the first type that uses it: each type is asked by itself. */
function ask(questions: readonly Question[]): RawAnswer[] {
  const raw = questions.map(({ program }) => ({
    type: program.attachType === null ? program.type : `${program.type}@${program.attachType}`,
    instructions: forKernel(program),
  }));
  return askRaw(raw, RAW_MAPS);
}

export const takenByLinux = (questions: readonly Question[]): Rows =>
  rows(questions, (list) => ask(list).map(({ verdict }) => verdict === 'accept'));

export const takenByUs = (questions: readonly Question[]): Rows =>
  rows(questions, (list) => list.map(({ program }) => verify(program, catalogue).accepted));

/** Whether it is more than the call itself that is at fault, if anything. */
export const callableInLinux = (questions: readonly Question[]): Rows =>
  rows(questions, (list) => ask(list).map(({ reason }) => !/cannot use helper|is not allowed$/.test(reason ?? '')));

export const callableHere = (questions: readonly Question[]): Rows =>
  rows(questions, (list) => list.map(({ program }) => callFault(program, catalogue, 0) === undefined));

export const kfuncsCallableHere = (questions: readonly Question[]): Rows =>
  rows(questions, (list) =>
    list.map(({ name, program: { type } }) => {
      const { programTypes } = catalogue.kfuncs.get(name)!;
      return programTypes === 'all' || programTypes.includes(type);
    }),
  );

/** Names of the questions that two sides answer differently, with the type. */
export function differences(questions: readonly Question[], a: Rows, b: Rows): string[] {
  const counts = new Map<string, number>();
  return questions.flatMap(({ name, type }) => {
    const at = counts.get(type) ?? 0;
    counts.set(type, at + 1);
    return a[type]?.[at] === b[type]?.[at] ? [] : [`${type}: ${name}`];
  });
}

export interface Grid {
  /** Release of the Linux that answered. */
  readonly kernel: string;
  readonly callable: Rows;
  readonly kfuncs: Rows;
  readonly taken: Rows;
}

const PATH = join(import.meta.dirname, 'golden/helper-grid.json');

export const recordedGrid = (): Grid => JSON.parse(readFileSync(PATH, 'utf8')) as Grid;

export function recordGrid(): Grid {
  const grid = {
    kernel: release().replace(/-.*/, ''),
    callable: callableInLinux(bareQuestions()),
    kfuncs: callableInLinux(kfuncQuestions()),
    taken: takenByLinux(argumentQuestions()),
  };
  writeFileSync(PATH, `${JSON.stringify(grid, null, 1)}\n`);
  return grid;
}
