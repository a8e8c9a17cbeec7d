import type { BpfMap, DirectLookup } from '../../abi/map.ts';
import type { FunctionType, ModuleWriter } from '../../wasm/module.ts';
import type { Opcode, ValueType } from '../../wasm/opcodes.ts';
import { Code } from '../../wasm/writer.ts';
import { STACK_REGION_BYTES } from '../call/limits.ts';
import { SLOTS } from './control.ts';
import type { JitOptions } from './environment.ts';

type Locals = readonly (readonly [number, ValueType])[];

interface Body {
  readonly type: FunctionType;
  readonly locals: Locals;
  readonly code: Code;
}

const CHECK: FunctionType = { parameters: ['i64', 'i32'], results: ['i32'] };
const WORD_TO_WORD: FunctionType = { parameters: ['i32'], results: ['i32'] };
const STORED: FunctionType = { parameters: ['i32', 'i32'], results: ['i32'] };

/** Keys of at most so many bytes are looked up in generated code. */
const LONGEST_KEY = 64;

/**
 * The functions that a module's code calls beside its own, each written when it is first asked for. Their indices
 * follow `first`.
 */
export class RuntimeFunctions {
  readonly #options: JitOptions;
  readonly #first: number;
  readonly #imports: { readonly readable: number; readonly writable: number; readonly stored: number };
  readonly #bodies: Body[] = [];
  readonly #made = new Map<string, number>();

  /** `imports`: (address, size) → whether a region allows it; (offset in the context, value, old) → what is stored. */
  constructor(
    options: JitOptions,
    first: number,
    imports: { readonly readable: number; readonly writable: number; readonly stored: number },
  ) {
    this.#options = options;
    this.#first = first;
    this.#imports = imports;
  }

  /** Exported too, so that the text of a module names them. */
  writeTo(module: ModuleWriter): void {
    for (const { type, locals, code } of this.#bodies) module.body(type, locals, code);
    for (const [name, index] of this.#made) module.export(name, index);
  }

  #once(name: string, make: () => Body): number {
    let index = this.#made.get(name);
    if (index === undefined) {
      const body = make();
      index = this.#first + this.#bodies.push(body) - 1;
      this.#made.set(name, index);
    }
    return index;
  }

  get readable(): number {
    return this.#once('readable', () => this.#check(this.#imports.readable));
  }

  get writable(): number {
    return this.#once('writable', () => this.#check(this.#imports.writable));
  }

  /** The regions that most accesses meet, all writable, are looked at here: stack, packet, context. JavaScript knows all. */
  #check(ask: number): Body {
    const code = new Code();
    const { stack, control, machine } = this.#options;
    const [address, size, offset] = [0, 1, 2];
    const within = (start: number, bytes: number) => {
      code.get(address).i64(start).op('i64.sub');
      code.i64(bytes).get(size).op('i64.extend_i32_u', 'i64.sub', 'i64.le_u');
      code.block('if').i32(1).op('return').end();
    };
    within(stack, STACK_REGION_BYTES);
    const slot = (number: number) => code.i32(0).at('i64.load', control + 8 * number);
    code.get(address);
    slot(SLOTS.packetStart).op('i64.sub').tee(offset);
    slot(SLOTS.packetEnd);
    slot(SLOTS.packetStart).op('i64.sub', 'i64.lt_u').block('if');
    code.get(offset).get(size).op('i64.extend_i32_u', 'i64.add');
    slot(SLOTS.packetEnd);
    slot(SLOTS.packetStart).op('i64.sub', 'i64.le_u');
    code.block('if').i32(1).op('return').end().end();
    const contextSize = machine.programType?.context.size ?? 0;
    if (contextSize >= 8) within(machine.context, contextSize);
    code.get(address).i64(0xffff_ffff).op('i64.gt_u').block('if').i32(0).op('return').end();
    code.get(address).op('i32.wrap_i64').get(size).call(ask);
    return { type: CHECK, locals: [[1, 'i64']], code };
  }

  /** Where the program type says so, not every field of the context holds what was stored. */
  get stored(): number | undefined {
    const { machine } = this.#options;
    if (machine.programType?.stored === undefined) return undefined;
    const { context, programType } = machine;
    return this.#once('stored', () => {
      const [address, value] = [0, 1];
      const code = new Code();
      code.get(address).i32(context).op('i32.sub').i32(programType.context.size).op('i32.lt_u').block('if', 'i32');
      code.get(address).i32(context).op('i32.sub').get(value).get(address).at('i32.load').call(this.#imports.stored);
      code.op('else').get(value).end();
      return { type: STORED, locals: [], code };
    });
  }

  /** (address of the key) → address of the value or 0. */
  lookup(map: BpfMap): number | undefined {
    const { direct, spec } = map;
    if (direct === undefined || spec.keySize > LONGEST_KEY) return undefined;
    const { table } = direct;
    return this.#once(`lookup ${map.handle}`, () =>
      table === undefined ? this.#array(direct, spec.maxEntries) : this.#hash(direct, table, spec.keySize),
    );
  }

  /** Makes an address of the slot on the stack. */
  #value(code: Code, { values, stride, copies }: DirectLookup): Code {
    code
      .i32(copies * stride)
      .op('i32.mul')
      .i32(values)
      .op('i32.add');
    if (copies === 1) return code;
    code.i32(0).at('i32.load', this.#options.control + 8 * SLOTS.cpu);
    return code.i32(stride).op('i32.mul', 'i32.add');
  }

  #array(direct: DirectLookup, entries: number): Body {
    const [key, slot] = [0, 1];
    const code = new Code();
    code.get(key).at('i32.load').tee(slot).i32(entries).op('i32.lt_u').block('if', 'i32').get(slot);
    this.#value(code, direct).op('else').i32(0).end();
    return { type: WORD_TO_WORD, locals: [[1, 'i32']], code };
  }

  #hash(direct: DirectLookup, table: NonNullable<DirectLookup['table']>, keySize: number): Body {
    const [key, hash, link, own] = [0, 1, 2, 3];
    const code = new Code();
    const keyStride = Math.ceil(keySize / 8) * 8;
    const word = (local: number) => code.get(local).i32(2).op('i32.shl');
    code
      .get(key)
      .call(this.#once(`jhash ${keySize}`, () => jhash(keySize)))
      .tee(hash);
    code
      .i32(table.buckets - 1)
      .op('i32.and')
      .i32(2)
      .op('i32.shl')
      .at('i32.load', table.heads)
      .set(link);
    code.block('loop');
    const top = code.depth;
    // Links hold slot + 1.
    code.get(link).op('i32.eqz').block('if').i32(0).op('return').end();
    word(link)
      .at('i32.load', table.hashes - 4)
      .get(hash)
      .op('i32.eq')
      .block('if');
    code.get(link).i32(keyStride).op('i32.mul').set(own);
    equal(code, key, own, table.keys - keyStride, keySize);
    code.block('if').get(link).i32(1).op('i32.sub');
    this.#value(code, direct).op('return').end().end();
    word(link)
      .at('i32.load', table.next - 4)
      .set(link)
      .branch('br', top)
      .end()
      .op('unreachable');
    return { type: WORD_TO_WORD, locals: [[3, 'i32']], code };
  }
}

const PIECES: readonly (readonly [size: number, load: Opcode])[] = [
  [8, 'i64.load'],
  [4, 'i64.load32_u'],
  [2, 'i64.load16_u'],
  [1, 'i64.load8_u'],
];

/** Leaves whether `size` bytes at one address equal those at another plus `offset`. */
function equal(code: Code, one: number, other: number, offset: number, size: number): void {
  let at = 0;
  for (const [bytes, load] of PIECES) {
    for (; size - at >= bytes; at += bytes) {
      code
        .get(one)
        .at(load, at)
        .get(other)
        .at(load, offset + at)
        .op('i64.xor');
      if (at > 0) code.op('i64.or');
    }
  }
  code.op('i64.eqz');
}

/** As runtime/maps/jhash.ts reckons it, with seed 0. */
function jhash(keySize: number): Body {
  const [key, a, b, c] = [0, 1, 2, 3] as const;
  const code = new Code();
  const rotated = (local: number, by: number) => code.get(local).i32(by).op('i32.rotl');
  const addWord = (local: number, offset: number, bytes: number) => {
    code.get(local);
    if (bytes === 4) code.get(key).at('i32.load', offset);
    else {
      code.get(key).at('i32.load8_u', offset);
      if (bytes > 1)
        code
          .get(key)
          .at('i32.load8_u', offset + 1)
          .i32(8)
          .op('i32.shl', 'i32.or');
      if (bytes > 2)
        code
          .get(key)
          .at('i32.load8_u', offset + 2)
          .i32(16)
          .op('i32.shl', 'i32.or');
    }
    code.op('i32.add').set(local);
  };
  const add = (local: number, other: number) => code.get(local).get(other).op('i32.add').set(local);
  code
    .i32(0xdeadbeef + keySize)
    .tee(a)
    .tee(b)
    .set(c);
  let at = 0;
  for (; keySize - at > 12; at += 12) {
    [a, b, c].forEach((local, index) => void addWord(local, at + 4 * index, 4));
    /** x = (x − y) ^ rotl(y, by); y += z. */
    const mix = (x: number, y: number, z: number, by: number) => {
      code.get(x).get(y).op('i32.sub');
      rotated(y, by).op('i32.xor').set(x);
      add(y, z);
    };
    mix(a, c, b, 4);
    mix(b, a, c, 6);
    mix(c, b, a, 8);
    mix(a, c, b, 16);
    mix(b, a, c, 19);
    mix(c, b, a, 4);
  }
  [a, b, c].forEach((local, index) => {
    const bytes = Math.min(4, keySize - at - 4 * index);
    if (bytes > 0) addWord(local, at + 4 * index, bytes);
  });
  /** x = (x ^ y) − rotl(y, by). */
  const final = (x: number, y: number, by: number) => {
    code.get(x).get(y).op('i32.xor');
    rotated(y, by).op('i32.sub').set(x);
  };
  final(c, b, 14);
  final(a, c, 11);
  final(b, a, 25);
  final(c, b, 16);
  final(a, c, 4);
  final(b, a, 14);
  final(c, b, 24);
  code.get(c);
  return { type: WORD_TO_WORD, locals: [[3, 'i32']], code };
}
