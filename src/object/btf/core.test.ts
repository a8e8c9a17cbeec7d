import { describe, expect, it } from 'vitest';
import { BtfBuilder } from './btf.builder.ts';
import { parseBtf } from './btf.ts';
import { applyCore, type CoreKind, type CoreRelocation, coreRelocator } from './core.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** The types that a program was compiled with. */
function local() {
  const b = new BtfBuilder();
  const s16 = b.int('short', 2, 'signed');
  const s32 = b.int('int', 4, 'signed');
  const u32 = b.int('unsigned int', 4);
  const s64 = b.int('long', 8, 'signed');
  const u64 = b.int('unsigned long', 8);
  const color = b.enum('color', [['RED', 0], ['GREEN', 1], ['BLUE', 2], ['GONE', 9]]); // biome-ignore format: a list
  const big = b.enum64('big', [['BIG_A', 0x1_0000_0000n]]);
  const inner = b.struct('inner', 48, [
    ['v', b.array(s32, 8), 0],
    ['pad', s64, 256],
    ['v2', s32, 320],
  ]);
  const either = b.union('', 8, [
    ['deep', s16, 0],
    ['deeper', s64, 0],
  ]);
  const outer = b.struct('outer', 168, [
    ['moved', s32, 0],
    ['', either, 64],
    ['other', s32, 128],
    ['in', b.array(inner, 2), 192],
    ['narrowed', u64, 120 * 8],
    ['widened', u32, 128 * 8],
    ['p', b.ptr(0), 136 * 8],
    ['narrowed_signed', s64, 144 * 8],
    ['c', color, 152 * 8],
    ['missing', s32, 160 * 8],
    ['flex', b.array(s32, 0), 164 * 8],
  ]);
  const bits = b.struct('bits', 16, [
    ['a', u32, 0, 2],
    ['s', s32, 12, 7],
    ['w', u64, 19, 30],
  ]);
  const flavour = b.struct('outer___v2', 16, [
    ['moved', s64, 0],
    ['gone', s32, 64],
  ]);
  const anon = b.add('typedef', 'anon_t', b.struct('', 4, [['x', s32, 0]]));
  const ambiguous = b.struct('amb', 4, [['x', s32, 0]]);
  const same = b.struct('same', 4, [['x', s32, 0]]);
  const sameB = b.struct('same___z', 4, [['q', s32, 0]]);
  const nothere = b.struct('nothere', 4, [['a', s32, 0]]);
  const nameless = b.struct('', 4, [['a', s32, 0]]);
  const function_ = b.add('typedef', 'fn_t', b.ptr(b.proto(s32, [['', s32]])));
  const prototype = b.add('typedef', 'proto_t', b.proto(s32, []));
  const id = {
    prototype,
    color,
    big,
    outer,
    bits,
    flavour,
    anon,
    ambiguous,
    same,
    sameB,
    nothere,
    nameless,
    function: function_,
  };
  return { btf: parseBtf(b.bytes()), id };
}

/** The types of another kernel. */
function target() {
  const b = new BtfBuilder();
  const s8 = b.int('char', 1, 'signed');
  const s16 = b.int('short', 2, 'signed');
  const s32 = b.int('int', 4, 'signed');
  const u32 = b.int('unsigned int', 4);
  const s64 = b.int('long', 8, 'signed');
  const u64 = b.int('unsigned long', 8);
  const color = b.enum('color', [['RED', 5], ['GREEN', -7], ['BLUE___x', 100], ['OTHER', 0]], true); // biome-ignore format: a list
  b.enum64('big', [['BIG_A', 0x12_3456_7890n]]);
  const inner = b.struct('inner', 40, [
    ['pad', s64, 0],
    ['v', b.array(s32, 8), 64],
  ]);
  const deep = b.struct('', 16, [
    ['deep', s16, 0],
    ['deeper', s64, 64],
  ]);
  const either = b.union('', 16, [
    ['', deep, 0],
    ['other', s32, 0],
  ]);
  const outer = b.struct('outer', 224, [
    ['pre', b.array(s8, 3), 0],
    ['moved', b.add('const', '', s32), 32],
    ['', either, 64],
    ['in', b.array(inner, 4), 24 * 8],
    ['narrowed', u32, 184 * 8],
    ['widened', u64, 192 * 8],
    ['p', b.ptr(0), 200 * 8],
    ['narrowed_signed', s32, 208 * 8],
    ['c', color, 212 * 8],
    ['flex', b.array(s32, 0), 220 * 8],
  ]);
  const bits = b.struct('bits', 16, [
    ['a', u32, 0, 3],
    ['s', s32, 16, 9],
    ['w', u64, 64, 40],
  ]);
  const anon = b.add(
    'typedef',
    'anon_t',
    b.struct('', 8, [
      ['y', s32, 0],
      ['x', s32, 32],
    ]),
  );
  b.struct('amb___a', 8, [['x', s32, 0]]);
  b.struct('amb___b', 8, [
    ['z', s32, 0],
    ['x', s32, 32],
  ]);
  b.struct('same___a', 8, [['x', s32, 0]]);
  const sameB = b.struct('same___b', 8, [
    ['x', s32, 0],
    ['q', s32, 32],
  ]);
  b.add('typedef', 'fn_t', b.ptr(b.proto(s32, [['', s32]])));
  b.add('typedef', 'proto_t', b.proto(s32, []));
  return { btf: parseBtf(b.bytes()), id: { outer, bits, anon, sameB } };
}

const here = local();
const there = target();
const POISON = '850000001023ad0b';

type LocalType = keyof typeof here.id;
const relocation = (kind: CoreKind, type: LocalType, accessString: string, offset = 0): CoreRelocation => ({
  section: 'xdp',
  offset,
  typeId: here.id[type],
  accessString,
  kind,
});
/** `r2 = imm`, `r2 = imm ll`. */
const mov = (imm: number) => `b7020000${imm32(imm)}`;
const wide = (low: number, high = 0) => `18020000${imm32(low)}00000000${imm32(high)}`;
const imm32 = (imm: number) => hex(new Uint8Array(Int32Array.of(imm).buffer));

// What libbpf 1.1 made of the same relocations between the same types, compiled by clang 19.
describe('a relocation becomes what libbpf makes of it:', () => {
  const t = there.id;
  const l = here.id;
  it.each<[CoreKind, LocalType, string, string, string, string]>([
    ['field_byte_offset', 'outer', '0:0', mov(0), mov(4), 'struct outer.moved: offset 4'],
    ['field_byte_offset', 'outer', '0:1:1', mov(8), mov(16), 'struct outer.deeper: offset 16'],
    ['field_byte_offset', 'outer', '0:2', mov(16), mov(8), 'struct outer.other: offset 8'],
    ['field_byte_offset', 'outer', '0:3:1:0:3', mov(84), mov(84), 'struct outer.in[1].v[3]: offset 84'],
    ['field_byte_offset', 'outer', '0:3:1:1', mov(104), mov(64), 'struct outer.in[1].pad: offset 64'],
    ['field_byte_offset', 'outer', '0:10:7', mov(192), mov(248), 'struct outer.flex[7]: offset 248'],
    ['field_byte_offset', 'outer', '3:3:0:0:1', mov(532), mov(708), 'struct outer[3].in[0].v[1]: offset 708'],
    ['field_byte_offset', 'outer', '0:9', mov(160), POISON, 'struct outer.missing is not in the target: poisoned'],
    ['field_byte_offset', 'flavour', '0:0', mov(0), mov(4), 'struct outer___v2.moved: offset 4'],
    ['field_byte_offset', 'anon', '0:0', mov(0), mov(4), 'anon_t.x: offset 4'],
    ['field_byte_size', 'outer', '0:4', mov(8), mov(4), 'struct outer.narrowed: size 4'],
    ['field_byte_size', 'outer', '0:10:7', mov(4), mov(4), 'struct outer.flex[7]: size 4'],
    ['field_exists', 'outer', '0:0', mov(1), mov(1), 'struct outer.moved: exists'],
    ['field_exists', 'outer', '0:9', mov(1), mov(0), 'struct outer.missing: does not exist'],
    ['field_exists', 'nothere', '0:0', mov(1), mov(0), 'struct nothere.a: does not exist'],
    ['field_signed', 'outer', '0:8', mov(0), mov(1), 'struct outer.c: signed: yes'],
    ['field_lshift_u64', 'bits', '0:0', mov(62), mov(61), 'struct bits.a: shift by 61'],
    ['field_rshift_u64', 'bits', '0:0', mov(62), mov(61), 'struct bits.a: shift by 61'],
    ['field_byte_size', 'bits', '0:1', mov(8), mov(4), 'struct bits.s: size 4'],
    ['field_lshift_u64', 'bits', '0:1', mov(45), mov(39), 'struct bits.s: shift by 39'],
    ['field_rshift_u64', 'bits', '0:1', mov(57), mov(55), 'struct bits.s: shift by 55'],
    ['field_byte_offset', 'bits', '0:2', mov(0), mov(8), 'struct bits.w: offset 8'],
    ['field_lshift_u64', 'bits', '0:2', mov(15), mov(24), 'struct bits.w: shift by 24'],
    ['type_id_local', 'outer', '0', wide(l.outer), wide(l.outer), `struct outer: type ${l.outer}`],
    ['type_id_target', 'outer', '0', wide(l.outer), wide(t.outer), `struct outer: type ${t.outer}`],
    ['type_id_target', 'nothere', '0', wide(l.nothere), wide(0), 'struct nothere: does not exist'],
    ['type_exists', 'ambiguous', '0', mov(1), mov(1), 'struct amb: exists'],
    ['type_exists', 'nothere', '0', mov(1), mov(0), 'struct nothere: does not exist'],
    ['type_size', 'outer', '0', mov(168), mov(224), 'struct outer: size 224'],
    ['type_size', 'same', '0', mov(4), mov(8), 'struct same: size 8'],
    ['type_matches', 'anon', '0', mov(1), mov(1), 'anon_t: matches'],
    ['type_matches', 'outer', '0', mov(1), mov(0), 'struct outer: does not match'],
    ['type_matches', 'function', '0', mov(1), mov(1), 'fn_t: matches'],
    ['enumval_exists', 'color', '2', wide(1), wide(1), 'enum color::BLUE: exists'],
    ['enumval_exists', 'color', '3', wide(1), wide(0), 'enum color::GONE: does not exist'],
    ['enumval_value', 'color', '0', wide(0), wide(5), 'enum color::RED: 5'],
    ['enumval_value', 'color', '1', wide(1), wide(-7, -1), 'enum color::GREEN: -7'],
    ['enumval_value', 'color', '3', wide(9), POISON + POISON, 'enum color::GONE is not in the target: poisoned'],
    ['enumval_value', 'big', '0', wide(0, 1), wide(0x34567890, 0x12), 'enum big::BIG_A: 78187493520'],
    // Loads and stores: r2 = *(r1 + off), *(r1 + off) = r2.
    ['field_byte_offset', 'outer', '0:0', '6112000000000000', '6112040000000000', 'struct outer.moved: offset 4'],
    ['field_byte_offset', 'outer', '0:4', '7912780000000000', '6112b80000000000', 'struct outer.narrowed: offset 184'],
    ['field_byte_offset', 'outer', '0:5', '6112800000000000', '7912c00000000000', 'struct outer.widened: offset 192'],
    ['field_byte_offset', 'outer', '0:6', '7912880000000000', '7912c80000000000', 'struct outer.p: offset 200'],
    ['field_byte_offset', 'outer', '0:4', '7b21780000000000', '6321b80000000000', 'struct outer.narrowed: offset 184'],
    ['field_byte_offset', 'outer', '0:0', '6201000003000000', '6201040003000000', 'struct outer.moved: offset 4'],
    ['field_byte_offset', 'outer', '0:7', '7912900000000000', POISON, 'struct outer.narrowed_signed has 4 bytes in the target, not 8, and is no unsigned number: poisoned'],
    ['field_byte_offset', 'outer', '0:9', '6321a00000000000', POISON, 'struct outer.missing is not in the target: poisoned'],
  ])('%s of %s %s', (kind, type, access, before, after, words) => {
    const code = unhex(before);
    expect(applyCore(code, relocation(kind, type, access), here.btf, there.btf)).toBe(words);
    expect(hex(code)).toBe(after);
  }); // biome-ignore format: a table

  it('an earlier relocation of the type narrows which of its namesakes is meant', () => {
    const code = unhex(`6112000000000000${wide(here.id.sameB)}`);
    const relocate = coreRelocator(here.btf, there.btf);
    relocate(code, relocation('field_byte_offset', 'sameB', '0:0'));
    relocate(code, relocation('type_id_target', 'sameB', '0', 8));
    expect(hex(code)).toBe(`6112040000000000${wide(there.id.sameB)}`);
  });
});

describe('without a target every type is itself', () => {
  it.each<[CoreKind, LocalType, string, string]>([
    ['field_byte_offset', 'outer', '0:9', mov(160)],
    ['field_exists', 'flavour', '0:1', mov(1)],
    ['type_id_target', 'nothere', '0', wide(here.id.nothere)],
    ['type_exists', 'nameless', '0', mov(1)],
    ['enumval_value', 'color', '3', wide(9)],
  ])('%s of %s %s', (kind, type, access, code) => {
    const bytes = unhex(code);
    applyCore(bytes, relocation(kind, type, access), here.btf, null);
    expect(hex(bytes)).toBe(code);
  });
});

describe('refused, with the reason:', () => {
  it.each<[string, CoreKind, LocalType, string, string]>([
    ['is not the same in types', 'field_byte_offset', 'ambiguous', '0:0', mov(0)],
    ['is not the same in types', 'field_exists', 'ambiguous', '0:0', mov(1)],
    ['is not the same in types', 'type_id_target', 'same', '0', wide(here.id.same)],
    ['has no name', 'type_exists', 'nameless', '0', mov(1)],
    ['has no size', 'type_size', 'prototype', '0', mov(0)],
    ['no list of indices', 'field_exists', 'outer', '0:', mov(1)],
    ['asks for member 99 of 11', 'field_exists', 'outer', '0:99', mov(1)],
    ['asks for element 2 of 2', 'field_exists', 'outer', '0:3:2', mov(1)],
    ['has no parts', 'field_exists', 'outer', '0:0:0', mov(1)],
    ['does not lead to a value', 'enumval_value', 'color', '4', wide(0)],
    ['the instruction has 3 where type', 'field_byte_offset', 'outer', '0:0', mov(3)],
    ['opcode 0x95', 'field_byte_offset', 'outer', '0:0', '9500000000000000'],
    ['no instruction at that offset', 'field_byte_offset', 'outer', '0:0', '9500'],
    ['accesses 4 bytes of a field of 8', 'field_byte_offset', 'outer', '0:4', '6112780000000000'],
    ['does not fit into a load', 'field_byte_offset', 'outer', '150:0', '6112706200000000'],
  ])('%s (%s of %s %s)', (message, kind, type, access, code) => {
    expect(() => applyCore(unhex(code), relocation(kind, type, access), here.btf, there.btf)).toThrow(message);
  });
});
