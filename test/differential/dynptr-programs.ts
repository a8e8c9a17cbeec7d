/** Small programs around dynptrs, in assembly: what each step answers is folded into the return value. */

import { helperName } from '../../src/abi/helper-names.ts';
import { mapTypeId } from '../../src/abi/map-types.ts';
import { mapSpecOf } from '../../src/engine/testing.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import { type Program, programFromAssembly } from '../../src/program/program.ts';
import type { RawMap } from './oracle.ts';

const RING = 4096;
const MAPS = [
  mapSpecOf({ name: 'values', type: mapTypeId('array'), keySize: 4, valueSize: 64, maxEntries: 1 }),
  mapSpecOf({ name: 'ring', type: mapTypeId('ringbuf'), keySize: 0, valueSize: 0, maxEntries: RING }),
];

export const RAW_MAPS: readonly RawMap[] = MAPS.map(({ name, keySize, valueSize, maxEntries }) => ({
  type: name === 'ring' ? 'ringbuf' : 'array',
  keySize,
  valueSize,
  maxEntries,
}));

export interface DynptrProgram {
  readonly type: string;
  readonly text: string;
  readonly size: number;
}

/** `kfunc[name]` in the text is the kernel function of that name, `ksym[name]` its address. */
export function programOf({ type, text }: DynptrProgram): Program {
  const names = [...new Set([...text.matchAll(/(?:kfunc|ksym)\[(\w+)\]/g)].map((match) => match[1]!))];
  return programFromAssembly(
    text.replaceAll(/(kfunc|ksym)\[(\w+)\]/g, (_, how: string, name: string) => `${how}[${names.indexOf(name)}]`),
    {
      type: type.replace('+frags', ''),
      maps: MAPS,
      kernelSymbols: names.map((name) => ({ name, kind: 'kfunc', weak: false, btfId: null })),
      helper: (id) => `bpf_${helperName(id)}`,
    },
  );
}

export function objectOf(program: DynptrProgram): ObjectSpec {
  const { type, bytes, kernelSymbols } = programOf(program);
  const named = { name: 'program', section: '', attachType: null, sleepable: false, autoload: true };
  const frags = program.type.endsWith('+frags');
  return {
    license: 'GPL',
    programs: [{ ...named, frags, type, instructions: bytes, functions: [], lines: [] }],
    maps: MAPS,
    btf: null,
    kernelSymbols,
    relocations: [],
  };
}

/** Where a dynptr lies on the stack, and the 48 bytes that serve as a buffer. */
const FIRST = -16;
export const SECOND = -32;
const BUFFER = -80;

const stack = (register: number, offset: number) => `r${register} = r10\nr${register} += ${offset}`;
/** Folds r0 into the answer. */
const fold = 'r8 *= 31\nr8 += r0';
/** Of a kernel function that gives an int: what is above its 32 bits is as the kernel's compiler left it. */
const foldInt = `w0 = w0\n${fold}`;
/** r0 as 1 or 0, the pointer being kept in r7. */
const isThere = (label: string) => `r7 = r0\nr0 = 1\nif r7 != 0 goto ${label}\nr0 = 0\n${label}:\n${fold}`;

let labels = 0;
const label = () => `l${labels++}`;

const from = (kind: 'skb' | 'xdp', flags = 0, at = FIRST) =>
  `r1 = r6\nr2 = ${flags}\n${stack(3, at)}\ncall kfunc[bpf_dynptr_from_${kind}]\n${foldInt}`;

/** Of the first `size` bytes of the map's value. */
const fromValue = (size: number, flags = 0, at = FIRST) =>
  `r1 = map[values][0]+0 ll\nr2 = ${size}\nr3 = ${flags}\n${stack(4, at)}\ncall bpf_dynptr_from_mem\n${fold}`;

const ask = (name: 'size' | 'is_null' | 'is_rdonly', at = FIRST) =>
  `${stack(1, at)}\ncall kfunc[bpf_dynptr_${name}]\n${name === 'size' ? foldInt : `r0 &= 255\n${fold}`}`;

const adjust = (start: number, end: number, at = FIRST) =>
  `${stack(1, at)}\nw2 = ${start}\nw3 = ${end}\ncall kfunc[bpf_dynptr_adjust]\n${foldInt}`;

const clone = (at = FIRST, to = SECOND) => `${stack(1, at)}\n${stack(2, to)}\ncall kfunc[bpf_dynptr_clone]\n${foldInt}`;

const read = (offset: number, size: number, flags = 0, at = FIRST) =>
  `${stack(1, BUFFER)}\nr2 = ${size}\n${stack(3, at)}\nw4 = ${offset}\nr5 = ${flags}\ncall bpf_dynptr_read\n${fold}`;

const write = (offset: number, size: number, flags = 0, at = FIRST) =>
  `${stack(1, at)}\nw2 = ${offset}\n${stack(3, BUFFER)}\nr4 = ${size}\nr5 = ${flags}\ncall bpf_dynptr_write\n${fold}`;

/** Tells whether the bytes are there, and adds the first, and changes it where it may. */
function slice(offset: number, size: number, { buffer = true, rdwr = false, at = FIRST } = {}): string {
  const out = label();
  const touch = size === 0 ? '' : `r0 = *(u8 *)(r7 + 0)\n${fold}\nr0 = *(u8 *)(r7 + ${size - 1})\n${fold}\n`;
  const change = rdwr && size > 0 ? 'w1 = 119\n*(u8 *)(r7 + 0) = r1\n' : '';
  return `${stack(1, at)}\nw2 = ${offset}\n${buffer ? stack(3, BUFFER) : 'r3 = 0'}\nr4 = ${size}
    call kfunc[bpf_dynptr_slice${rdwr ? '_rdwr' : ''}]\n${isThere(label())}\nif r7 == 0 goto ${out}\n${touch}${change}${out}:`;
}

function data(offset: number, size: number, at = FIRST): string {
  const out = label();
  return `${stack(1, at)}\nw2 = ${offset}\nr3 = ${size}\ncall bpf_dynptr_data\n${isThere(label())}
    if r7 == 0 goto ${out}\nr0 = *(u8 *)(r7 + 0)\n${fold}\nw1 = 66\n*(u8 *)(r7 + 0) = r1\n${out}:`;
}

const copy = (toOffset: number, fromOffset: number, size: number, to = SECOND, at = FIRST) =>
  `${stack(1, to)}\nw2 = ${toOffset}\n${stack(3, at)}\nw4 = ${fromOffset}\nw5 = ${size}
    call kfunc[bpf_dynptr_copy]\n${foldInt}`;

const set = (offset: number, size: number, value: number, at = FIRST) =>
  `${stack(1, at)}\nw2 = ${offset}\nw3 = ${size}\nw4 = ${value}\ncall kfunc[bpf_dynptr_memset]\n${foldInt}`;

const reserve = (size: number, flags = 0, at = FIRST) =>
  `r1 = map[ring] ll\nw2 = ${size}\nr3 = ${flags}\n${stack(4, at)}\ncall bpf_ringbuf_reserve_dynptr\n${fold}`;

const end = (how: 'submit' | 'discard', at = FIRST) => `${stack(1, at)}\nr2 = 0\ncall bpf_ringbuf_${how}_dynptr`;

/** BPF_RB_PROD_POS. */
const position = `r1 = map[ring] ll\nr2 = 3\ncall bpf_ringbuf_query\n${fold}`;

/** Moves an edge of an XDP packet. */
const move = (edge: 'head' | 'tail', by: number) => `r1 = r6\nw2 = ${by}\ncall bpf_xdp_adjust_${edge}\n${fold}`;

/** A program of such steps: its answer is the low word of what was folded, and the buffer goes into the packet. */
function program(type: string, list: readonly string[], size = 98): DynptrProgram {
  const base = type.replace('+frags', '');
  const show = `r1 = r6\nr2 = 20\n${stack(3, BUFFER)}\nr4 = 48\n`;
  const shown =
    base === 'xdp'
      ? `${show}call bpf_xdp_store_bytes`
      : base === 'sched_cls'
        ? `${show}r5 = 0\ncall bpf_skb_store_bytes`
        : [0, 16, 32].map((at) => `r0 = *(u64 *)(r10 - ${-BUFFER - at})\n${fold}`).join('\n');
  const fill = [0, 8, 16, 24, 32, 40].map((at) => `*(u64 *)(r10 - ${-BUFFER - at}) = ${at + 1}`);
  const clear = Array.from({ length: 8 }, (_, i) => `*(u64 *)(r1 + ${8 * i}) = 0`);
  const start = ['r6 = r1', 'r8 = 0', 'r1 = map[values][0]+0 ll', ...clear, ...fill];
  // cgroup_skb's verdicts are 0 and 1.
  const end = ['r0 = r8', 'r8 >>= 32', 'r0 ^= r8', base === 'cgroup_skb' ? 'r0 &= 1' : '', 'exit'];
  return { type, text: [...start, ...list, shown, ...end].join('\n'), size };
}

/** The sum of what an iterator gives in its first seven rounds, and what making it gave. */
function iterate(start: number, end: number): string {
  return `r8 = 0\nr6 = 0\n${stack(1, -8)}\nw2 = ${start}\nw3 = ${end}\ncall kfunc[bpf_iter_num_new]\n${foldInt}
    next: ${stack(1, -8)}\ncall kfunc[bpf_iter_num_next]\nif r0 == 0 goto out
    r0 = *(s32 *)(r0 + 0)\n${fold}\nr6 += 1\nif r6 < 7 goto next
    out: ${stack(1, -8)}\ncall kfunc[bpf_iter_num_destroy]\nr0 = r8\nexit`;
}

export const steps = {
  from, fromValue, ask, adjust, clone, read, write, slice, data, copy, set, reserve, end, position, move, program, iterate,
}; // biome-ignore format: a list
