import { alias, form, type Of } from './form.ts';
import type { AtomicOp, Size } from './instruction.ts';
import {
  number,
  offset,
  operand,
  reg64,
  register,
  suffixSize,
  text,
  toImm,
  toOffset,
  toOperand,
  toRegister,
  toSame,
  toSize,
  toUnsigned,
  toWidth,
  type,
  unsignedType,
  widthOf,
  word,
} from './operands.ts';
import { ATOMIC_SYMBOLS, type Form, opOf, type ReadContext, symbolOf, type Token, type Values } from './syntax.ts';

function atomic(values: Values, context: ReadContext, op: AtomicOp, fetch: boolean, size?: Size): Of<'atomic'> {
  const { type: typed, dst, src, offset: at } = values;
  return {
    kind: 'atomic',
    op,
    size: size ?? toUnsigned(typed!, context, [4, 8]),
    fetch,
    dst: toRegister(dst!, context),
    offset: toOffset(at),
    src: toRegister(src!, context),
  };
}

function fetching(values: Values, context: ReadContext, op: AtomicOp, size?: Size): Of<'atomic'> {
  toSame(values.src!, values.into!, context);
  return atomic(values, context, op, true, size);
}

/** Compare-and-exchange has r0 as the expected and the fetched value (section 5.3). */
function comparing(values: Values, context: ReadContext, size?: Size): Of<'atomic'> {
  if (toRegister(values.into!, context) !== 0 || toRegister(values.old!, context) !== 0) {
    context.fail('compare-and-exchange works on r0 (w0 for 32 bits)');
  }
  return atomic(values, context, 'cmpxchg', true, size);
}

function atomicParts(instruction: Of<'atomic'>): Record<'type' | 'dst' | 'offset' | 'src' | 'zero', Token> {
  const width = widthOf(instruction.size);
  return {
    type: unsignedType(instruction.size),
    dst: register(instruction.dst),
    offset: offset(instruction.offset),
    src: register(instruction.src, width),
    zero: register(0, width),
  };
}
/** What reads and writes memory: the same notation of an address in all of them. */
export const MEMORY_FORMS: readonly Form[] = [
  form(
    'load',
    '{dst:register} = *({type:type} *)({src:register} {offset:offset})',
    ({ dst, size, signed, src, offset: at }) => ({
      dst: register(dst),
      type: signed ? type(`s${size * 8}`) : unsignedType(size),
      src: register(src),
      offset: offset(at),
    }),
    ({ dst, type, src, offset: at }, context) => {
      const size = toSize(type!);
      const isSigned = /^s/i.test(type!);
      if (isSigned && size === 8) context.fail('there is no sign-extending load of 64 bits: write u64');
      // clang's w registers say that 32 bits are loaded, which zero-extend as every load does.
      if (toWidth(dst!) === 32 && (isSigned || size === 8)) context.fail(`a load of ${type} needs a 64-bit register`);
      return {
        kind: 'load',
        size,
        signed: isSigned,
        dst: toRegister(dst!, context),
        src: reg64(src, context),
        offset: toOffset(at),
      };
    },
  ),
  form(
    'store',
    '*({type:type} *)({dst:register} {offset:offset}) = {src:operand}',
    ({ dst, size, src, offset: at }) => ({
      type: unsignedType(size),
      dst: register(dst),
      offset: offset(at),
      src: operand(src),
    }),
    ({ type, dst, offset: at, src }, context) => {
      const size = toUnsigned(type!, context);
      if (size === 8 && toWidth(src!) === 32) context.fail('a store of u64 needs a 64-bit register');
      return {
        kind: 'store',
        size,
        dst: reg64(dst, context),
        offset: toOffset(at),
        src: toOperand(src!, context),
      };
    },
  ),
  form(
    'atomic',
    'lock *({type:type} *)({dst:register} {offset:offset}) {op:update} {src:register}',
    (instruction) => {
      const symbol = symbolOf(ATOMIC_SYMBOLS, instruction.op);
      return symbol !== undefined && !instruction.fetch ? { ...atomicParts(instruction), op: word(symbol) } : undefined;
    },
    (values, context) => atomic(values, context, opOf(ATOMIC_SYMBOLS, values.op!), false),
  ),
  form(
    'atomic',
    '{into:register} = {op:fetch}(({type:type} *)({dst:register} {offset:offset}), {src:register})',
    (instruction) => {
      const parts = atomicParts(instruction);
      return instruction.fetch && symbolOf(ATOMIC_SYMBOLS, instruction.op)
        ? { ...parts, into: parts.src, op: word(`atomic_fetch_${instruction.op}`) }
        : undefined;
    },
    (values, context) => fetching(values, context, values.op!.toLowerCase().split('_')[2] as AtomicOp),
  ),
  form(
    'atomic',
    '{into:register} = {op:xchg}({dst:register} {offset:offset}, {src:register})',
    (instruction) => {
      const parts = atomicParts(instruction);
      return instruction.op === 'xchg'
        ? { ...parts, into: parts.src, op: word(instruction.size === 8 ? 'xchg_64' : 'xchg32_32') }
        : undefined;
    },
    (values, context) => fetching(values, context, 'xchg', suffixSize(values.op!)),
  ),
  form(
    'atomic',
    '{into:register} = {op:cmpxchg}({dst:register} {offset:offset}, {old:register}, {src:register})',
    (instruction) => {
      const parts = atomicParts(instruction);
      return instruction.op === 'cmpxchg'
        ? {
            ...parts,
            into: parts.zero,
            old: parts.zero,
            op: word(instruction.size === 8 ? 'cmpxchg_64' : 'cmpxchg32_32'),
          }
        : undefined;
    },
    (values, context) => comparing(values, context, suffixSize(values.op!)),
  ),
  form(
    'atomic',
    '{dst:register} = load_acquire(({type:type} *)({src:register} {offset:offset}))',
    ({ op, size, dst, src, offset: at }) =>
      op === 'load_acq'
        ? { dst: register(dst, widthOf(size)), type: unsignedType(size), src: register(src), offset: offset(at) }
        : undefined,
    (values, context) => atomic(values, context, 'load_acq', false, toUnsigned(values.type!, context)),
  ),
  form(
    'atomic',
    'store_release(({type:type} *)({dst:register} {offset:offset}), {src:register})',
    (instruction) => (instruction.op === 'store_rel' ? atomicParts(instruction) : undefined),
    (values, context) => atomic(values, context, 'store_rel', false, toUnsigned(values.type!, context)),
  ),
  form(
    'packet',
    'r0 = *({type:type} *)skb[{at:number}]',
    ({ mode, size, imm }) => (mode === 'abs' ? { type: unsignedType(size), at: number(imm) } : undefined),
    ({ type, at }, context) => ({
      kind: 'packet',
      mode: 'abs',
      size: toUnsigned(type!, context, [1, 2, 4]) as 1 | 2 | 4,
      src: 0,
      imm: toImm(at!, context),
    }),
  ),
  form(
    'packet',
    'r0 = *({type:type} *)skb[{src:register}{offset:offset}]',
    ({ mode, size, src, imm }) =>
      mode === 'ind'
        ? {
            type: unsignedType(size),
            src: register(src),
            offset: imm === 0 ? text('') : number(` ${offset(imm).text}`),
          }
        : undefined,
    ({ type, src, offset: at }, context) => ({
      kind: 'packet',
      mode: 'ind',
      size: toUnsigned(type!, context, [1, 2, 4]) as 1 | 2 | 4,
      src: reg64(src, context),
      imm: at ? toImm(at, context) : 0,
    }),
  ),
  // The verifier log's names of atomic exchanges.
  alias('{into:register} = {op:axchg}(({type:type} *)({dst:register} {offset:offset}), {src:register})', {
    wide: false,
    read: (values, context) => fetching(values, context, 'xchg'),
  }),
  alias(
    '{into:register} = {op:acmpxchg}(({type:type} *)({dst:register} {offset:offset}), {old:register}, {src:register})',
    { wide: false, read: (values, context) => comparing(values, context) },
  ),
  // The kernel's selftests write parentheses about the condition.
];
