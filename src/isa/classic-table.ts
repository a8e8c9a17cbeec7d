/** One `struct sock_filter` of linux/filter.h. */
export interface ClassicInstruction {
  readonly code: number;
  /** Instructions to skip where the condition holds, and where not. */
  readonly jt: number;
  readonly jf: number;
  /** Unsigned, 32 bits. */
  readonly k: number;
}

/** BPF_MEMWORDS: M[0] … M[15], of 4 bytes. */
export const SCRATCH_SLOTS = 16;
/** SKF_AD_OFF (-0x1000) as k has it: absolute loads from here on ask for what is not in the packet. */
export const ANCILLARY_OFFSET = 0xffff_f000;

type Lines = (instruction: ClassicInstruction, pc: number) => string[];

/** What an opcode is: what Linux asks of its `k`, where control goes, and its translation in assembly. */
export interface Entry {
  readonly k?: 'divisor' | 'shift' | 'slot' | 'packet';
  readonly flow: 'next' | 'always' | 'branch' | 'return';
  readonly scratch?: 'read' | 'write';
  /** Null where there is no such thing to load. */
  readonly lines: Lines | null;
  /** What the translation cannot load. */
  readonly refusal?: string;
}

export const label = (pc: number): string => `L${pc}`;
/** Address of a scratch slot. */
const slot = (k: number): string => `(r10 - ${4 * (SCRATCH_SLOTS - k)})`;

/** Instruction classes, sizes, modes and operations of linux/bpf_common.h. */
const LD = 0x00;
const LDX = 0x01;
const ST = 0x02;
const STX = 0x03;
const ALU = 0x04;
const JMP = 0x05;
const RET = 0x06;
const MISC = 0x07;
const IMM = 0x00;
const ABS = 0x20;
const IND = 0x40;
const MEM = 0x60;
const LEN = 0x80;
const MSH = 0xa0;
const X = 0x08;
const SIZES = [[0x00, 'u32'], [0x08, 'u16'], [0x10, 'u8']] as const; // biome-ignore format: a table

const OPERATIONS: readonly (readonly [code: number, symbol: string, k?: 'divisor' | 'shift'])[] = [
  [0x00, '+='],
  [0x10, '-='],
  [0x20, '*='],
  [0x30, '/=', 'divisor'],
  [0x40, '|='],
  [0x50, '&='],
  [0x60, '<<=', 'shift'],
  [0x70, '>>=', 'shift'],
  [0x90, '%=', 'divisor'],
  [0xa0, '^='],
];

/** With the opposite, where there is one. */
const CONDITIONS: readonly (readonly [code: number, symbol: string, opposite?: string])[] = [
  [0x10, '==', '!='],
  [0x20, '>', '<='],
  [0x30, '>=', '<'],
  [0x40, '&'],
];

const table = new Map<number, Entry>();

function add(code: number, lines: Lines, more: Partial<Entry> = {}): void {
  table.set(code, { flow: 'next', lines, ...more });
}

for (const [size, type] of SIZES) {
  add(LD | ABS | size, ({ k }) => [`r0 = *(${type} *)skb[${k}]`], { k: 'packet' });
  add(LD | IND | size, ({ k }) => [`r0 = *(${type} *)skb[r7 + ${k}]`]);
}
for (const [cls, register] of [
  [LD, 0],
  [LDX, 7],
] as const) {
  add(cls | IMM, ({ k }) => [`w${register} = ${k}`]);
  add(cls | LEN, () => [`r${register} = *(u32 *)(r6 + 0)`]);
  add(cls | MEM, ({ k }) => [`r${register} = *(u32 *)${slot(k)}`], { k: 'slot', scratch: 'read' });
}
add(ST, ({ k }) => [`*(u32 *)${slot(k)} = r0`], { k: 'slot', scratch: 'write' });
add(STX, ({ k }) => [`*(u32 *)${slot(k)} = r7`], { k: 'slot', scratch: 'write' });
// X becomes the length of an IPv4 header: four times the low half of the byte at k.
add(LDX | MSH | 0x10, ({ k }) => [
  'w8 = w0', // A is kept
  `r0 = *(u8 *)skb[${k}]`,
  'w0 &= 15',
  'w0 <<= 2',
  'w7 = w0',
  'w0 = w8',
]);

for (const [code, symbol, k] of OPERATIONS) {
  add(ALU | code, (instruction) => [`w0 ${symbol} ${instruction.k}`], k === undefined ? {} : { k });
  // Division by X = 0 ends a classic filter with 0; in RFC 9669 it would go on.
  const guard = k === 'divisor' ? ['if w7 != 0 goto +2', 'w0 = 0', 'exit'] : [];
  add(ALU | code | X, () => [...guard, `w0 ${symbol} w7`]);
}
add(ALU | 0x80, () => ['w0 = -w0']);
add(MISC | 0x00, () => ['w7 = w0']);
add(MISC | 0x80, () => ['w0 = w7']);
add(RET, ({ k }) => [`w0 = ${k}`, 'exit'], { flow: 'return' });
add(RET | 0x10, () => ['exit'], { flow: 'return' });

add(JMP, ({ k }, pc) => (k === 0 ? [] : [`goto ${label(pc + 1 + k)}`]), { flow: 'always' });
for (const [code, symbol, opposite] of CONDITIONS) {
  const branch =
    (operand: (instruction: ClassicInstruction) => string): Lines =>
    (instruction, pc) => {
      const yes = label(pc + 1 + instruction.jt);
      const no = label(pc + 1 + instruction.jf);
      if (yes === no) return instruction.jt === 0 ? [] : [`goto ${yes}`];
      const value = operand(instruction);
      if (instruction.jt === 0 && opposite !== undefined) return [`if w0 ${opposite} ${value} goto ${no}`];
      const taken = `if w0 ${symbol} ${value} goto ${yes}`;
      return instruction.jf === 0 ? [taken] : [taken, `goto ${no}`];
    };
  add(
    JMP | code,
    branch(({ k }) => `${k}`),
    { flow: 'branch' },
  );
  add(
    JMP | code | X,
    branch(() => 'w7'),
    { flow: 'branch' },
  );
}

const field = (offset: number, ...then: string[]): Entry => ({
  flow: 'next',
  lines: () => [`r0 = *(u32 *)(r6 + ${offset})`, ...then],
});
const code = (...lines: string[]): Entry => ({ flow: 'next', lines: () => lines });
const refused = (refusal: string): Entry => ({ flow: 'next', lines: () => [], refusal });

/** SKF_AD_* of linux/filter.h, by the offsets of `struct __sk_buff` (linux/bpf.h) that hold the same. */
const ANCILLARY = new Map<number, Entry>([
  [0, field(16, 'r0 = be16 r0')], // protocol
  [4, field(4)], // packet type
  [8, field(40, 'if w0 != 0 goto +1', 'exit')], // ifindex; without a device the filter ends with 0
  [12, refused('a netlink attribute')],
  [16, refused('a nested netlink attribute')],
  [20, field(8)], // mark
  [24, field(12)], // queue mapping
  [28, refused("the device's hardware type")],
  [32, field(68)], // hash
  [36, code('call 8')], // bpf_get_smp_processor_id
  [40, code('w0 ^= w7')], // A ^= X, from before there was an operation for it
  [44, field(24)], // VLAN tag
  [48, field(20)], // VLAN tag present
  [52, refused("the payload's offset")],
  [56, code('call 7')], // bpf_get_prandom_u32
  [60, field(28, 'r0 = be16 r0')], // VLAN protocol
]);
const NOTHING: Entry = { flow: 'next', k: 'packet', lines: null };

/** What the instruction is, undefined for an unknown opcode. */
export function entryOf({ code, k }: ClassicInstruction): Entry | undefined {
  const entry = table.get(code);
  return entry?.k === 'packet' && k >= ANCILLARY_OFFSET ? (ANCILLARY.get(k - ANCILLARY_OFFSET) ?? NOTHING) : entry;
}
