import { alias, form, type Of } from './form.ts';
import { MEMORY_FORMS } from './forms-memory.ts';
import type { Immediate64 } from './instruction.ts';
import {
  goto,
  indexed,
  label,
  name,
  named,
  number,
  operand,
  printWide,
  reg64,
  register,
  signed,
  toBig,
  toImm,
  toOffset,
  toOperand,
  toRegister,
  toSame,
  toSize,
  toWidth,
  type,
  word,
} from './operands.ts';
import {
  ALU_SYMBOLS,
  type Filled,
  type Form,
  JUMP_SYMBOLS,
  opOf,
  type PrintContext,
  type ReadContext,
  symbolOf,
  type Values,
} from './syntax.ts';

/**
 * The textual syntax, as a table of forms: a pattern with holes, what fills the holes of an instruction, and what
 * instruction the filled holes make. The disassembler prints the first form that takes an instruction; the assembler
 * reads any. Aliases are only read: what the Linux verifier log, bpftool or clang write differently.
 * The canonical form is llvm-objdump's with plain decimal numbers, and clang assembles it, but for what it has no
 * syntax for: maps, functions and kfuncs by index, and a packet load at register plus constant.
 */

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
  ...MEMORY_FORMS,
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
  alias('if ({dst:register} {op:compare} {src:operand}) goto {target:target}', jumpForm('')),
];
