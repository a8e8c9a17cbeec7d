/**
 * The instruction set of RFC 9669, as decoded identities: what the wire hides in `off`, `src_reg` or `imm` (signed
 * division, sign-extending moves, fetching atomics, the kind of a call) has a name of its own here. Every reader of
 * instructions (verifier, runners, disassembler) switches on `kind` and `op` and never looks at an opcode byte; the
 * interpreter's loop alone does, over a form that it makes for itself.
 */

export type Width = 32 | 64;
/** Bytes moved by a load, store or atomic. */
export type Size = 1 | 2 | 4 | 8;
/** r0 … r10. */
export type Register = number;

/** Section 4.1, table 4, with the `off` variants told apart. `movsx*` sign-extend from 8, 16 or 32 bits. */
export type AluOp =
  | 'add' | 'sub' | 'mul' | 'div' | 'sdiv' | 'or' | 'and' | 'lsh' | 'rsh' | 'neg' | 'mod' | 'smod' | 'xor' | 'mov'
  | 'movsx8' | 'movsx16' | 'movsx32' | 'arsh'; // biome-ignore format: a table

/** Section 4.3, the conditional rows; `s*` compare signed. `set` is JSET: any common bit. */
export type JumpOp =
  | 'eq' | 'gt' | 'ge' | 'set' | 'ne' | 'sgt' | 'sge' | 'lt' | 'le' | 'slt' | 'sle'; // biome-ignore format: a table

/**
 * Section 5.3. `load_acq` and `store_rel` are Linux's (6.15), not in RFC 9669: they have `fetch` false, and of the two
 * registers `src` holds the address of a load, `dst` that of a store.
 */
export type AtomicOp = 'add' | 'or' | 'and' | 'xor' | 'xchg' | 'cmpxchg' | 'load_acq' | 'store_rel';

/** The second operand: a register, or an immediate sign-extended from 32 bits. */
export type Operand = { readonly reg: Register } | { readonly imm: number };

/**
 * What a 64-bit immediate means (section 5.4, BPF_PSEUDO_* of linux/bpf.h). Maps, variables and functions are named
 * by index: `map` is the map's index in the object, `function` the pc of a subprogram of this program. `value` is
 * unsigned, 0 … 2^64 − 1.
 */
export type Immediate64 =
  | { readonly type: 'value'; readonly value: bigint }
  | { readonly type: 'map'; readonly map: number }
  | { readonly type: 'map-value'; readonly map: number; readonly offset: number }
  | { readonly type: 'function'; readonly pc: number }
  | { readonly type: 'ksym'; readonly btfId: number }
  | { readonly type: 'map-by-index'; readonly map: number }
  | { readonly type: 'map-value-by-index'; readonly map: number; readonly offset: number };

export type CallTarget =
  | { readonly type: 'helper'; readonly id: number }
  | { readonly type: 'local'; readonly pc: number }
  | { readonly type: 'kfunc'; readonly btfId: number; readonly offset: number }
  | { readonly type: 'register'; readonly reg: Register };

/** One instruction. `target` and `pc` count 8-byte slots from the program's start, as Linux counts them. */
export type Instruction =
  | { readonly kind: 'alu'; readonly op: AluOp; readonly width: Width; readonly dst: Register; readonly src: Operand }
  | { readonly kind: 'endian'; readonly op: 'le' | 'be' | 'bswap'; readonly bits: 16 | 32 | 64; readonly dst: Register }
  | { readonly kind: 'imm64'; readonly dst: Register; readonly value: Immediate64 }
  | { readonly kind: 'load'; readonly size: Size; readonly signed: boolean; readonly dst: Register; readonly src: Register; readonly offset: number }
  | { readonly kind: 'store'; readonly size: Size; readonly dst: Register; readonly offset: number; readonly src: Operand }
  | { readonly kind: 'atomic'; readonly op: AtomicOp; readonly size: Size; readonly fetch: boolean; readonly dst: Register; readonly offset: number; readonly src: Register }
  /** Legacy packet access (section 5.5): `abs` at imm, `ind` at src + imm; big-endian, into r0. */
  | { readonly kind: 'packet'; readonly mode: 'abs' | 'ind'; readonly size: 1 | 2 | 4; readonly src: Register; readonly imm: number }
  | { readonly kind: 'goto'; readonly target: number; readonly long: boolean }
  | { readonly kind: 'jump'; readonly op: JumpOp; readonly width: Width; readonly dst: Register; readonly src: Operand; readonly target: number }
  | { readonly kind: 'may_goto'; readonly target: number }
  | { readonly kind: 'call'; readonly target: CallTarget }
  | { readonly kind: 'exit' }
  /** Bytes that are no instruction: an unknown opcode, a reserved field that is set. Decoding never fails. */
  | { readonly kind: 'invalid'; readonly code: string; readonly message: string }
  | { readonly kind: 'addr_space_cast'; readonly dst: Register; readonly src: Register; readonly to: number; readonly from: number }; // biome-ignore format: a table

/** Bytes of one slot; a 64-bit immediate takes two slots. */
export const SLOT = 8;

/** Slots that the instruction takes. */
export function slots(instruction: Instruction): 1 | 2 {
  return instruction.kind === 'imm64' ? 2 : 1;
}
