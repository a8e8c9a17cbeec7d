/** Questions to bpf_fib_lookup: a packet carries a `struct bpf_fib_lookup` and the flags in, and comes back with the answer. */

import { assembleQuestion } from '../../src/runtime/helpers/test-host.ts';

/** Fields of `struct bpf_fib_lookup` (linux/bpf.h) by what a program puts in, all in host order but the addresses. */
export interface FibQuestion {
  readonly type?: 'xdp' | 'sched_cls';
  readonly family?: number;
  readonly protocol?: number;
  readonly sport?: number;
  readonly dport?: number;
  readonly length?: number;
  readonly ifindex?: number;
  /** tos of IPv4; flowinfo of IPv6, as a 32-bit big-endian word. */
  readonly tos?: number;
  readonly source?: string;
  readonly destination?: string;
  readonly table?: number;
  readonly mark?: number;
  readonly flags?: number;
  /** Bytes behind, for a longer packet. */
  readonly padding?: number;
}

export type Asked = FibQuestion & { readonly type: 'xdp' | 'sched_cls' };

const HEADER = 14;
const SIZE = 64;
const FLAGS = HEADER + SIZE;
const FRAME = FLAGS + 4;

/** `size`: what the program says the struct has. */
export function fibProgram(type: 'xdp' | 'sched_cls', size = SIZE): string {
  const [data, end] = type === 'xdp' ? [0, 4] : [76, 80];
  const copied = Array.from({ length: SIZE / 8 }, (_, i) => 8 * i);
  return `
    r6 = r1
    r7 = *(u32 *)(r1 + ${data})
    r8 = *(u32 *)(r1 + ${end})
    r0 = r7
    r0 += ${FRAME}
    if r0 > r8 goto out
    ${copied.map((at) => `r0 = *(u64 *)(r7 + ${HEADER + at})\n*(u64 *)(r10 - ${SIZE - at}) = r0`).join('\n')}
    r4 = *(u32 *)(r7 + ${FLAGS})
    r2 = r10
    r2 += -${SIZE}
    r3 = ${size}
    call bpf_fib_lookup
    ${copied.map((at) => `r1 = *(u64 *)(r10 - ${SIZE - at})\n*(u64 *)(r7 + ${HEADER + at}) = r1`).join('\n')}
    exit
    out: r0 = 77
    exit`;
}

export function fibInstructions(type: 'xdp' | 'sched_cls', size = SIZE): Uint8Array {
  return assembleQuestion({ type, text: fibProgram(type, size) });
}

export function fibFrame(question: FibQuestion): Uint8Array {
  const frame = new Uint8Array(FRAME + (question.padding ?? 0));
  const view = new DataView(frame.buffer, HEADER);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
  const { destination = '0.0.0.0', source = '0.0.0.0' } = question;
  view.setUint8(0, question.family ?? (destination.includes(':') ? 10 : 2));
  view.setUint8(1, question.protocol ?? 0);
  view.setUint16(2, question.sport ?? 0);
  view.setUint16(4, question.dport ?? 0);
  view.setUint16(6, question.length ?? 0, true);
  view.setUint32(8, question.ifindex ?? 1, true);
  if (destination.includes(':')) view.setUint32(12, question.tos ?? 0);
  else view.setUint8(12, question.tos ?? 0);
  frame.set(addressBytes(source), HEADER + 16);
  frame.set(addressBytes(destination), HEADER + 32);
  view.setUint32(48, question.table ?? 0, true);
  view.setUint32(52, question.mark ?? 0, true);
  view.setUint32(SIZE, question.flags ?? 0, true);
  return frame;
}

/** The same bytes as text, by field, for people to compare. */
export function fibAnswer(retval: number, out: Uint8Array): Record<string, string | number> {
  const view = new DataView(out.buffer, out.byteOffset + HEADER);
  const hex = (from: number, to: number) => out.slice(HEADER + from, HEADER + to).toHex();
  return {
    retval: retval | 0,
    family: view.getUint8(0),
    head: hex(1, 6),
    mtu: view.getUint16(6, true),
    ifindex: view.getUint32(8, true),
    metric: view.getUint32(12, true),
    source: hex(16, 32),
    destination: hex(32, 48),
    table: hex(48, 52),
    smac: hex(52, 58),
    dmac: hex(58, 64),
  };
}

function addressBytes(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [front = '', back = ''] = text.split('::');
  const words = (part: string) => (part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16)));
  const missing = 8 - words(front).length - words(back).length;
  const all = text.includes('::') ? [...words(front), ...Array(missing).fill(0), ...words(back)] : words(text);
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
}
