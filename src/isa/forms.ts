import type { AtomicOp, Immediate64, Instruction, Size } from './instruction.ts';
import {
  goto, indexed, label, name, named, number, offset, operand, printWide, register, signed, suffixSize, text, toBig,
  toImm, toOffset, toOperand, toRegister, toSame, toSize, toUnsigned, toWidth, type, unsignedType, widthOf, word,
} from './operands.ts'; // biome-ignore format: a list
import {
  ALU_SYMBOLS, ATOMIC_SYMBOLS, type Filled, type Form, JUMP_SYMBOLS, opOf, type PrintContext, type ReadContext,
  symbolOf, type Token, type Values,
} from './syntax.ts'; // biome-ignore format: a list

/**
 * The textual syntax, as a table of forms: a pattern with holes, what fills the holes of an instruction, and what
 * instruction the filled holes make. The disassembler prints the first form that takes an instruction; the assembler
 * reads any. Aliases are only read: what the Linux verifier log, bpftool or clang write differently.
 * The canonical form is llvm-objdump's with plain decimal numbers, and clang assembles it, but for what it has no
 * syntax for: maps, functions and kfuncs by index, and a packet load at register plus constant.
 */

type Of<K extends Instruction['kind']> = Extract<Instruction, { kind: K }>;

function form<const K extends Instruction['kind']>(
  kind: K,
  pattern: string,
  print: (instruction: Of<K>, context: PrintContext) => Filled | undefined,
  read: (values: Values, context: ReadContext) => Of<K>,
): Form {
  return {
    pattern,
    wide: kind === 'imm64',
    print: (instruction, context) => (instruction.kind === kind ? print(instruction as Of<K>, context) : undefined),
    read,
  };
}

const alias = (pattern: string, { wide, read }: Pick<Form, 'wide' | 'read'>): Form => ({
  pattern,
  wide,
  print: null,
  read,
});

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

const wide = (dst: string, value: Immediate64, context: ReadContext): Of<'imm64'> => ({
  kind: 'imm64',
  dst: toRegister(dst, context, 64),
  value,
});

function readWide({ dst, value }: Values, context: ReadContext): Of<'imm64'> {
  const number = toBig(value!);
  if (number < -(2n ** 63n) || number >= 2n ** 64n) context.fail(`${value} does not fit 64 bits`);
  return wide(dst!, { type: 'value', value: BigInt.asUintN(64, number) }, context);
}

function readMap({ dst, value }: Values, context: ReadContext): Of<'imm64'> {
  const [, kind, inside, at] = /^(map|map_idx)\[(.*?)\](?:\[0\] ?\+ ?(.*))?$/i.exec(value!)!;
  const byIndex = kind!.toLowerCase() === 'map_idx';
  const map = indexed('map', inside!, context);
  const where = at === undefined ? undefined : toImm(at, context) >>> 0;
  if (where === undefined) return wide(dst!, { type: byIndex ? 'map-by-index' : 'map', map }, context);
  return wide(dst!, { type: byIndex ? 'map-value-by-index' : 'map-value', map, offset: where }, context);
}

function readFunction({ dst, value }: Values, context: ReadContext): Of<'imm64'> {
  const inside = /\[(.*)\]/.exec(value!)![1]!;
  return wide(dst!, { type: 'function', pc: context.target(inside) }, context);
}

function readKsym({ dst, value }: Values, context: ReadContext): Of<'imm64'> {
  return wide(dst!, { type: 'ksym', btfId: toImm(/\[(.*)\]/.exec(value!)![1]!, context) }, context);
}

function readKfunc(values: Values, context: ReadContext): Of<'call'> {
  const [, inside, at] = /\[(.*)\](.*)/.exec(values.callee!)!;
  return { kind: 'call', target: { type: 'kfunc', btfId: indexed('kfunc', inside!, context), offset: toOffset(at) } };
}

function printCall({ target }: Of<'call'>, { pc, names }: PrintContext): Filled | undefined {
  switch (target.type) {
    case 'helper': {
      const text = named(names.helper?.(target.id), target.id);
      return { callee: text === `${target.id}` ? number(text) : name(text) };
    }
    case 'local':
      return { callee: label(`pc${signed(target.pc - pc - 1)}`) };
    case 'kfunc': {
      const text = named(names.kfunc?.(target.btfId), target.btfId);
      return { callee: name(`kfunc[${text}]${target.offset === 0 ? '' : signed(target.offset)}`) };
    }
    default:
      return undefined;
  }
}

const jumpForm = (pattern: string): Form =>
  form(
    'jump',
    pattern,
    ({ dst, op, src, width, target }, context) => ({
      dst: register(dst, width),
      op: word(symbolOf(JUMP_SYMBOLS, op)!),
      src: operand(src, width),
      target: goto(target, context),
    }),
    ({ dst, op, src, target }, context) => ({
      kind: 'jump',
      op: opOf(JUMP_SYMBOLS, op!),
      width: toWidth(dst!),
      dst: toRegister(dst!, context),
      src: toOperand(src!, context, toWidth(dst!)),
      target: context.target(target!),
    }),
  );

const gotoForm = (mnemonic: 'goto' | 'gotol'): Form =>
  form(
    'goto',
    `${mnemonic} {target:target}`,
    ({ target, long }, context) => (long === (mnemonic === 'gotol') ? { target: goto(target, context) } : undefined),
    ({ target }, context) => ({ kind: 'goto', target: context.target(target!), long: mnemonic === 'gotol' }),
  );

const reg64 = (text: string | undefined, context: ReadContext): number => toRegister(text!, context, 64);

const FORM = {
  imm64: form(
    'imm64',
    '{dst:register} = {value:wide} ll',
    ({ dst, value }, context) =>
      value.type === 'value' ? { dst: register(dst), value: printWide(value, context) } : undefined,
    readWide,
  ),
  map: form(
    'imm64',
    '{dst:register} = {value:map} ll',
    ({ dst, value }, context) =>
      value.type.startsWith('map') ? { dst: register(dst), value: printWide(value, context) } : undefined,
    readMap,
  ),
  function: form(
    'imm64',
    '{dst:register} = {value:function} ll',
    ({ dst, value }, context) =>
      value.type === 'function' ? { dst: register(dst), value: printWide(value, context) } : undefined,
    readFunction,
  ),
  ksym: form(
    'imm64',
    '{dst:register} = {value:ksym} ll',
    ({ dst, value }, context) =>
      value.type === 'ksym' ? { dst: register(dst), value: printWide(value, context) } : undefined,
    readKsym,
  ),
} as const;

/** In the order in which they are tried. */
export const FORMS: readonly Form[] = [
  form(
    'alu',
    '{dst:register} {op:assign} {src:operand}',
    ({ op, dst, src, width }) => {
      const symbol = symbolOf(ALU_SYMBOLS, op);
      return (symbol && { dst: register(dst, width), op: word(symbol), src: operand(src, width) }) || undefined;
    },
    ({ dst, op, src }, context) => ({
      kind: 'alu',
      op: opOf(ALU_SYMBOLS, op!),
      width: toWidth(dst!),
      dst: toRegister(dst!, context),
      src: toOperand(src!, context, toWidth(dst!)),
    }),
  ),
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
  jumpForm('if {dst:register} {op:compare} {src:operand} goto {target:target}'),
  gotoForm('goto'),
  gotoForm('gotol'),
  form(
    'may_goto',
    'may_goto {target:target}',
    ({ target }, context) => ({ target: goto(target, context) }),
    ({ target }, context) => ({ kind: 'may_goto', target: context.target(target!) }),
  ),
  form(
    'exit',
    'exit',
    () => ({}),
    () => ({ kind: 'exit' }),
  ),
  form(
    'call',
    'call {callee:helper}',
    (instruction, context) => (instruction.target.type === 'register' ? undefined : printCall(instruction, context)),
    ({ callee }, context) => ({ kind: 'call', target: { type: 'helper', id: toImm(callee!, context) } }),
  ),
  form(
    'call',
    'callx {callee:register}',
    ({ target }) => (target.type === 'register' ? { callee: register(target.reg) } : undefined),
    ({ callee }, context) => ({ kind: 'call', target: { type: 'register', reg: reg64(callee, context) } }),
  ),
  FORM.imm64,
  FORM.map,
  FORM.function,
  FORM.ksym,
  form(
    'alu',
    '{dst:register} = -{src:register}',
    ({ op, dst, width }) => (op === 'neg' ? { dst: register(dst, width), src: register(dst, width) } : undefined),
    ({ dst, src }, context) => {
      const width = toWidth(dst!);
      toRegister(src!, context, width);
      return { kind: 'alu', op: 'neg', width, dst: toSame(dst!, src!, context), src: { imm: 0 } };
    },
  ),
  form(
    'alu',
    '{dst:register} = ({type:type}){src:register}',
    ({ op, dst, src, width }) =>
      op.startsWith('movsx')
        ? { dst: register(dst, width), type: type(`s${op.slice(5)}`), src: operand(src, width) }
        : undefined,
    ({ dst, type, src }, context) => {
      const width = toWidth(dst!);
      const bits = toSize(type!) * 8;
      if (!/^s/i.test(type!) || bits >= width) {
        context.fail(`a move to ${width} bits sign-extends from ${width === 64 ? 's8, s16 or s32' : 's8 or s16'}`);
      }
      return {
        kind: 'alu',
        op: `movsx${bits as 8 | 16 | 32}`,
        width,
        dst: toRegister(dst!, context),
        src: { reg: toRegister(src!, context, width) },
      };
    },
  ),
  form(
    'endian',
    '{dst:register} = {swap:swap} {src:register}',
    ({ op, bits, dst }) => ({ dst: register(dst), swap: word(`${op}${bits}`), src: register(dst) }),
    ({ dst, swap, src }, context) => {
      const [, op, bits] = /^(\D+)(\d+)$/.exec(swap!.toLowerCase())!;
      reg64(dst, context);
      return {
        kind: 'endian',
        op: op as 'le' | 'be' | 'bswap',
        bits: Number(bits) as 16 | 32 | 64,
        dst: toSame(dst!, src!, context),
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
  form(
    'addr_space_cast',
    '{dst:register} = addr_space_cast({src:register}, {to:number}, {from:number})',
    ({ dst, src, to, from }) => ({ dst: register(dst), src: register(src), to: number(to), from: number(from) }),
    ({ dst, src, to, from }, context) => ({
      kind: 'addr_space_cast',
      dst: reg64(dst, context),
      src: reg64(src, context),
      to: toImm(to!, context) & 0xffff,
      from: toImm(from!, context) & 0xffff,
    }),
  ),
  // The calls that `call {callee}` above prints, each with a reading of its own.
  alias('call {callee:local}', {
    wide: false,
    read: ({ callee }, context) => ({ kind: 'call', target: { type: 'local', pc: context.target(callee!) } }),
  }),
  alias('call {callee:kfunc}', { wide: false, read: readKfunc }),
  // The verifier log: `call bpf_tail_call#12`.
  alias('call {callee:call}', {
    wide: false,
    read: ({ callee }, context) => ({
      kind: 'call',
      target: { type: 'helper', id: toImm(callee!.slice(callee!.indexOf('#') + 1), context) },
    }),
  }),
  // A label or a helper's name: labels come first, as the reader of a listing sees them.
  alias('call {callee:name}', {
    wide: false,
    read: ({ callee }, context) => {
      const pc = context.label(callee!);
      return {
        kind: 'call',
        target: pc === undefined ? { type: 'helper', id: context.lookup('helper', callee!) } : { type: 'local', pc },
      };
    },
  }),
  alias('{dst:register} = {value:map}', FORM.map),
  alias('{dst:register} = {value:function}', FORM.function),
  alias('{dst:register} = {value:ksym}', FORM.ksym),
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
  alias('if ({dst:register} {op:compare} {src:operand}) goto {target:target}', jumpForm('')),
];
