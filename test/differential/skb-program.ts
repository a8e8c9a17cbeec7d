import { FRAMES, type FrameName } from './skb-frames.ts';

/** A program in assembly text for a program type, and the frames to run it on. */
export interface Question {
  readonly type: string;
  readonly text: string;
  readonly frame: FrameName;
}

export const STACK = 64;
export const FILL = Array.from(
  { length: STACK / 8 },
  (_, i) => `*(u64 *)(r10 - ${8 * (i + 1)}) = ${0x2b6d5a10 + i}`,
).join('\n');
/** An argument that is the address of the scratch bytes. */
export const MEMORY = 'memory';
type Argument = number | bigint | typeof MEMORY;

function move(register: number, value: Argument): string {
  if (value === MEMORY) return `r${register} = r10\nr${register} += -${STACK}`;
  const wide = BigInt.asIntN(64, BigInt(value));
  return wide === BigInt.asIntN(32, wide)
    ? `r${register} = ${wide}`
    : `r${register} = 0x${BigInt.asUintN(64, wide).toString(16)} ll`;
}

/** Calls a helper of the context; what it returned goes into r7, all earlier ones shifted up. */
export function call(helper: string, ...args: Argument[]): string {
  return [`r1 = r6`, ...args.map((value, i) => move(i + 2, value)), `call bpf_${helper}`, 'r7 *= 31', 'r7 += r0'].join(
    '\n',
  );
}

export const field = (offset: number, slot: number, size = 32) =>
  `r1 = *(u${size} *)(r6 + ${offset})\n*(u32 *)(r6 + ${slot}) = r1`;
export const CB = 48;
const bytesAt = (helper: string, offset: number, ...base: number[]) => `
  r1 = r6
  r2 = ${offset}
  r3 = r10
  r3 += -72
  r4 = 4
  ${base.map((value) => `r5 = ${value}`).join('')}
  call bpf_${helper}
  r1 = *(u32 *)(r10 - 72)`;

/** The first of the scratch bytes go to the front of the packet. */
export const SHOW_MEMORY = `
  r1 = r6
  r2 = 0
  r3 = r10
  r3 += -${STACK}
  r4 = 14
  r5 = 0
  call bpf_skb_store_bytes`;

/** What became of the packet, told in those fields that the kernel gives back: cb, mark, priority, tstamp. */
const SEEN: Readonly<Record<string, string>> = {
  sched_cls: `
    *(u32 *)(r6 + ${CB}) = r7
    ${field(16, CB + 4)}
    ${field(0, CB + 8)}
    r1 = *(u32 *)(r6 + 80)
    r2 = *(u32 *)(r6 + 76)
    r1 -= r2
    *(u32 *)(r6 + ${CB + 12}) = r1
    ${field(68, CB + 16)}
    ${bytesAt('skb_load_bytes_relative', 0, 0)}
    *(u32 *)(r6 + 8) = r1
    ${bytesAt('skb_load_bytes_relative', 0, 1)}
    *(u32 *)(r6 + 32) = r1
    r1 = *(u32 *)(r6 + 28)
    r1 <<= 32
    r2 = *(u32 *)(r6 + 24)
    r1 |= r2
    r2 = *(u32 *)(r6 + 20)
    r2 <<= 16
    r1 |= r2
    r2 = *(u32 *)(r6 + 4)
    r2 <<= 20
    r1 |= r2
    *(u64 *)(r6 + 152) = r1
    r0 = r7
    exit`,
  lwt_xmit: `
    *(u32 *)(r6 + ${CB}) = r7
    ${field(16, CB + 4)}
    ${field(0, CB + 8)}
    r1 = *(u32 *)(r6 + 80)
    r2 = *(u32 *)(r6 + 76)
    r1 -= r2
    *(u32 *)(r6 + ${CB + 12}) = r1
    ${field(68, CB + 16)}
    ${bytesAt('skb_load_bytes', 0)}
    *(u32 *)(r6 + 8) = r1
    r0 = r7
    exit`,
  cgroup_skb: `
    *(u32 *)(r6 + ${CB}) = r7
    ${bytesAt('skb_load_bytes_relative', 0, 1)}
    *(u32 *)(r6 + ${CB + 4}) = r1
    r1 = *(u32 *)(r10 - ${STACK})
    *(u32 *)(r6 + ${CB + 8}) = r1
    r1 = *(u32 *)(r10 - ${STACK - 4})
    *(u32 *)(r6 + ${CB + 12}) = r1
    r0 = 1
    exit`,
};

const START = `r6 = r1\nr7 = 0\n${FILL}\n`;
const LIKE: Readonly<Record<string, string>> = { socket_filter: 'cgroup_skb', lwt_in: 'lwt_xmit' };
export const program = (type: string, ...steps: string[]) => `${START}${steps.join('\n')}${SEEN[LIKE[type] ?? type]}`;

export const ALL = Object.keys(FRAMES) as FrameName[];
export const USUAL: readonly FrameName[] = ['ipv4', 'ipv6', 'vlan', 'arp', 'short'];

export function ask(
  steps: readonly string[][],
  frames: readonly FrameName[] = USUAL,
  types: readonly string[] = ['sched_cls'],
) {
  return types.flatMap((type) =>
    frames.flatMap((frame) => steps.map((list): Question => ({ type, frame, text: program(type, ...list) }))),
  );
}

/** Every combination of one of each. */
export function product<T extends readonly unknown[]>(...lists: { [K in keyof T]: readonly T[K][] }): T[] {
  return lists.reduce<unknown[][]>(
    (all, list) => all.flatMap((head) => list.map((last) => [...head, last])),
    [[]],
  ) as unknown[] as T[];
}

/** All rows of the given steps, up to a length. */
export function rows(steps: readonly string[], longest: number): string[][] {
  const all: string[][] = [];
  let last: string[][] = [[]];
  for (let i = 0; i < longest; i++) {
    last = last.flatMap((row) => steps.map((step) => [...row, step]));
    all.push(...last);
  }
  return all;
}
