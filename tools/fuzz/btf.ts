import { LoadError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { BtfBuilder } from '../../src/object/btf/btf.builder.ts';
import { type Btf, parseBtf } from '../../src/object/btf/btf.ts';
import { CORE_KINDS, coreRelocator } from '../../src/object/btf/core.ts';
import { type BtfExt, parseBtfExt } from '../../src/object/btf/ext.ts';
import { formatType } from '../../src/object/btf/format.ts';
import { type BtfKind, KINDS } from '../../src/object/btf/kinds.ts';
import { memberAt, sizeOf } from '../../src/object/btf/types.ts';
import { formatValue } from '../../src/object/btf/value.ts';
import { fuzzFromCommandLine } from './run.ts';

/** Every kind of type, function, line and relocation. */
function sample() {
  const b = new BtfBuilder();
  const int = b.int('int', 4, 'signed');
  const char = b.int('char', 1, 'signed');
  const u64 = b.int('unsigned long', 8);
  const color = b.enum('color', [['RED', 1], ['GREEN', -7]], true); // biome-ignore format: a list
  const big = b.enum64('big', [['BIG', 1n << 40n]]);
  const list = b.struct('list', 16, [
    ['next', b.ptr(9), 0],
    ['value', b.add('const', '', b.add('typedef', 'u32', int)), 64],
  ]);
  const pointer = b.ptr(list);
  const body = b.union('', 8, [
    ['', list, 0],
    ['word', u64, 0],
  ]);
  const flow = b.struct('flow', 64, [
    ['name', b.array(char, 8), 0],
    ['', body, 64],
    ['lists', b.array(list, 2), 192],
    ['a', int, 448, 3],
    ['b', color, 451, 9],
    ['c', big, 480],
  ]);
  const proto = b.proto(int, [['ctx', b.ptr(b.add('fwd', 'xdp_md', 0))], ['flow', pointer], ['', 0]]); // biome-ignore format: a list
  const filter = b.func('filter', proto);
  const variable = b.variable('state', b.add('volatile', '', flow));
  b.datasec('.bss', [[variable, 0, 64]]);
  b.add('float', 'double', 8);
  b.add('decl_tag', 'user', flow, [0]);
  b.ptr(b.add('type_tag', 'rcu', flow));
  b.add('restrict', '', b.ptr(0));
  const target = { root: [flow, '0:2:1:1'], enum: [color, '1'], type: [flow, '0'] } as const;
  const relocations = CORE_KINDS.map((kind, index) => {
    const [type, access] = target[kind.startsWith('enum') ? 'enum' : kind.startsWith('type') ? 'type' : 'root'];
    return [index * 16, type, access, kind] as const;
  });
  const ext = b.ext(
    'xdp',
    [[0, filter]],
    [[0, 'filter.c', 'int filter(struct xdp_md *ctx)', 1, 5], [8, 'filter.c', 'return 0;', 2, 3]],
    relocations,
  ); // biome-ignore format: lists
  return { btf: b.bytes(), ext };
}

/** What the compiler would have put into the instructions, by kind of relocation: without it few would be patched. */
const COMPILED = [48, 4, 1, 1, 32, 32, 0, 0, 1, 64, 1, -7, 1];

const whole = sample();
const good = parseBtf(whole.btf);
/** Moves, wide immediates, loads, stores, and an exit, at which the relocations point. */
const OPCODES = [0xb7, 0x18, 0x61, 0x79, 0x7b, 0x62, 0x95];

/** Words that lie at an edge of what a field may hold. */
const EDGES = [0, 1, 2, 3, 0x7f, 0xff, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let mutated = bytes.slice();
  for (let rounds = 1 + random.below(4); rounds > 0 && mutated.length > 4; rounds--) {
    const at = random.below(mutated.length);
    const word = random.below(mutated.length >> 2) * 4;
    const view = new DataView(mutated.buffer);
    switch (random.below(6)) {
      case 0:
        mutated[at] = random.u32();
        break;
      case 1:
        mutated[at]! ^= 1 << random.below(8);
        break;
      case 2:
        view.setUint32(word, EDGES[random.below(EDGES.length)]!, true);
        break;
      case 3:
        view.setUint32(word, view.getUint32(word, true) + random.below(9) - 4, true);
        break;
      case 4:
        mutated.copyWithin(at, word, word + random.below(64));
        break;
      default:
        if (random.below(8) === 0) mutated = mutated.slice(0, at);
    }
  }
  return mutated;
}

/** Types that refer to one another at random: records are sound, their graph seldom is. */
function randomTypes(random: Random): Uint8Array {
  const b = new BtfBuilder();
  const count = 1 + random.below(24);
  const id = () => random.below(count + 1);
  const number = () => (random.below(4) === 0 ? EDGES[random.below(EDGES.length)]! : random.below(64));
  for (let i = 1; i <= count; i++) {
    const layout = KINDS[1 + random.below(KINDS.length - 1)]!;
    const kind: BtfKind = layout.kind;
    const vlen = layout.item > 0 ? random.below(6) : 0;
    const words = Array.from({ length: (layout.fixed + vlen * layout.item) / 4 }, (_, index) => {
      const at = index * 4;
      const inItem = at < layout.fixed ? -1 : (at - layout.fixed) % layout.item;
      if (inItem === layout.itemType || layout.fixedTypes.includes(at)) return id();
      if (inItem === 0 && layout.itemNamed) return random.below(3) === 0 ? 0 : b.string('abc'.slice(random.below(3)));
      return kind === 'var' ? random.below(3) : kind === 'int' ? (random.below(8) << 24) | random.below(130) : number();
    });
    const linkage = kind === 'func' ? random.below(3) : vlen;
    const name = random.below(3) === 0 ? '' : 'xyz'.slice(random.below(3));
    b.add(kind, name, layout.refers ? id() : number(), words, linkage, random.below(2) === 0);
  }
  return b.bytes();
}

function walk(btf: Btf, random: Random): void {
  const bytes = new Uint8Array(64).fill(random.u32());
  for (let id = 0; id < btf.count; id++) {
    sizeOf(btf, id);
    if (formatType(btf, id).length > 10_000_000) throw new Error(`the text of type ${id} is too long`);
    JSON.stringify(formatValue(btf, id, bytes));
    memberAt(btf, id, random.below(64));
  }
  if (btf.types.length !== btf.count) throw new Error('types were lost');
}

/**
 * Mutated .BTF and .BTF.ext are read, walked and relocated against sound ones, or refused with a `LoadError`. Returns
 * the codes of the refusals met, `none` where there was none.
 */
export function fuzzBtf(random: Random): ReadonlySet<string> {
  const codes = new Set<string>();
  const orRefused = <T>(read: () => T): T | null => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      codes.add(error.detail.code);
      return null;
    }
  };
  const relocate = (ext: BtfExt, local: Btf, target: Btf | null) => {
    const relocator = coreRelocator(local, target);
    const code = new Uint8Array(CORE_KINDS.length * 16);
    const view = new DataView(code.buffer);
    for (const [index, value] of COMPILED.entries()) {
      const at = index * 16;
      code[at] = OPCODES[random.below(OPCODES.length)]!;
      if (code[at] !== 0x18) view.setInt16(at + 2, value, true);
      view.setInt32(at + 4, value, true);
      if (code[at] === 0x18) view.setInt32(at + 12, value >> 31, true);
    }
    for (const relocation of [...ext.core.values()].flat()) orRefused(() => relocator(code, relocation));
  };

  const types = [randomTypes, () => whole.btf, mutateTypes, mutateTypes][random.below(4)]!(random);
  const btf = orRefused(() => parseBtf(types));
  if (btf === null) return codes;
  orRefused(() => walk(btf, random));
  const extBytes = random.below(2) === 0 ? whole.ext : mutate(random, whole.ext);
  const ext = orRefused(() => parseBtfExt(extBytes, btf));
  if (ext === null) return codes;
  relocate(ext, btf, null);
  relocate(ext, btf, good);
  relocate(ext, good, btf);
  return codes.size === 0 ? codes.add('none') : codes;
}

const mutateTypes = (random: Random) => mutate(random, whole.btf);

if (import.meta.main) fuzzFromCommandLine('btf', fuzzBtf);
