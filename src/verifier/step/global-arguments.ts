import type { Btf, BtfType } from '../../object/btf/btf.ts';
import { resolveType, sizeOf } from '../../object/btf/types.ts';
import type { FunctionSpec } from '../../object/spec.ts';
import { contextPointerIsUnmoved } from '../regions/context.ts';
import { declTags } from '../regions/decl-tags.ts';
import { describeKind } from '../report/words.ts';
import { ANYTHING, isZero, NULLABLE, pointer, type Register } from '../state/register.ts';
import type { Verification } from '../walk/verification.ts';
import { readable } from './alu.ts';
import { newCall } from './arguments.ts';
import { takeDynptr } from './dynptrs.ts';
import { checkMemory } from './memory-arguments.ts';

/** What a global function says of an argument by its BTF: it is verified with no more, and called with no less. */
export type GlobalArgument =
  | { readonly type: 'number' }
  | { readonly type: 'context' }
  | { readonly type: 'dynptr' }
  | { readonly type: 'memory'; readonly size: number; readonly nullable: boolean };

/** Names under which the context of a program type goes in its functions' prototypes. */
const CONTEXTS: Readonly<Record<string, readonly string[]>> = {
  xdp: ['xdp_md'],
  flow_dissector: ['__sk_buff'],
};
const SKB: readonly string[] = ['__sk_buff'];
const MOST_ARGUMENTS = 5;

/** The arguments of a function by its BTF; a string says why they cannot be known. */
export function globalArguments(
  btf: Btf,
  callee: FunctionSpec,
  programType: string,
): readonly GlobalArgument[] | string {
  const type = btf.typeById(callee.btfId!);
  const proto = type.kind === 'func' ? btf.typeById(type.type) : undefined;
  if (proto?.kind !== 'func_proto') return 'it has no prototype in BTF';
  const result = resolveType(btf, proto.type);
  if (!isNumber(result) && result.kind !== 'void') return 'it does not return a number';
  if (proto.params.length > MOST_ARGUMENTS) return `it has more than ${MOST_ARGUMENTS} arguments`;
  const found: GlobalArgument[] = [];
  for (const [index, parameter] of proto.params.entries()) {
    const argument = argumentOf(btf, callee.btfId!, index, parameter.type, programType);
    if (typeof argument === 'string') return `argument ${index + 1} ${argument}`;
    found.push(argument);
  }
  return found;
}

function isNumber({ kind }: BtfType): boolean {
  return kind === 'int' || kind === 'enum' || kind === 'enum64';
}

function argumentOf(btf: Btf, func: number, index: number, id: number, programType: string): GlobalArgument | string {
  const type = resolveType(btf, id);
  if (isNumber(type)) return { type: 'number' };
  if (type.kind !== 'ptr') return 'is neither a number nor a pointer';
  const tags = declTags(btf, func, index);
  const to = resolveType(btf, type.type);
  const isContext = to.kind === 'struct' && (CONTEXTS[programType] ?? SKB).includes(to.name);
  if (tags.has('arg:ctx') || isContext) return { type: 'context' };
  if (to.kind === 'struct' && to.name === 'bpf_dynptr') return { type: 'dynptr' };
  const size = sizeOf(btf, type.type);
  if (size === null) return 'points to something without a size';
  return { type: 'memory', size, nullable: !tags.has('arg:nonnull') };
}

/** The register with which a global function begins. */
export function registerOf(v: Verification, argument: GlobalArgument): Register {
  if (argument.type === 'number') return ANYTHING;
  if (argument.type === 'context') return pointer('context');
  if (argument.type === 'dynptr') return pointer('dynptr', { target: { kind: 'dynptr', type: 'local' } });
  const { size, nullable } = argument;
  return nullable
    ? pointer('memory', { extent: size, flags: NULLABLE, id: v.newId() })
    : pointer('memory', { extent: size });
}

/** Whether r1 … r5 are what the function at `start` asks for. */
export function takesArguments(v: Verification, start: number): boolean {
  const callee = v.program.functions.find((each) => each.start === start)!;
  const wanted = globalArguments(v.program.btf!, callee, v.program.type);
  if (typeof wanted === 'string') return v.refuse('global-function', `${callee.name} cannot be called: ${wanted}`);
  for (const [i, argument] of wanted.entries()) if (!takes(v, callee.name, i + 1, argument)) return false;
  return true;
}

function takes(v: Verification, name: string, index: number, argument: GlobalArgument): boolean {
  if (!readable(v, index)) return false;
  const register = v.register(index);
  const refuse = (wanted: string): boolean =>
    v.refuse('call-argument', `argument ${index} of ${name} is ${wanted}; r${index} is ${describeKind(register)}`);
  switch (argument.type) {
    case 'number':
      return register.kind === 'scalar' || refuse('a number');
    case 'context':
      return register.kind === 'context' ? contextPointerIsUnmoved(v, register, index) : refuse('the context');
    case 'dynptr':
      if (register.kind !== 'stack' && register.kind !== 'dynptr') return refuse('a dynptr');
      return takeDynptr(v, newCall(GLOBAL), index, register);
    case 'memory': {
      if (argument.nullable && isZero(register)) return true;
      if (register.nullable && !argument.nullable) return refuse('a pointer that is not null');
      return checkMemory(v, newCall(GLOBAL), index, argument.size, 'write', false);
    }
  }
}

const GLOBAL = { name: 'function' };
