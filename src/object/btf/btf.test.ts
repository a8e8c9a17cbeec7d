import { describe, expect, it } from 'vitest';
import { LoadError } from '../../base/errors.ts';
import { BtfBuilder } from './btf.builder.ts';
import { type Btf, type BtfKind, essentialName, parseBtf } from './btf.ts';
import { parseBtfExt } from './ext.ts';
import { formatType } from './format.ts';
import { memberAt, sizeOf } from './types.ts';
import { formatValue } from './value.ts';

/** The types of a small program, by name. */
function example() {
  const b = new BtfBuilder();
  const id = {
    u8: b.int('unsigned char', 1),
    u32: b.int('unsigned int', 4),
    s32: b.int('int', 4, 'signed'),
    s64: b.int('long', 8, 'signed'),
    u128: b.int('unsigned __int128', 16),
    char: b.int('char', 1, 'signed'),
    bool: b.int('_Bool', 1, 'bool'),
    float: b.add('float', 'double', 8),
  };
  const be32 = b.add('typedef', '__be32', id.u32);
  const action = b.enum('xdp_action', [
    ['XDP_ABORTED', 0],
    ['XDP_DROP', 1],
  ]);
  const mode = b.enum('mode', [['OFF', -1]], true);
  const wide = b.enum64('wide', [['HIGH', 0xffff_ffff_ffff_ffffn]]);
  const mac = b.array(id.u8, 6);
  const name = b.array(id.char, 4);
  const constant = b.add('const', '', id.char);
  const text = b.ptr(constant);
  const pair = b.struct('', 8, [
    ['low', id.u32, 0],
    ['high', id.u32, 32],
  ]);
  const either = b.union('', 8, [
    ['', pair, 0],
    ['both', id.s64, 0],
  ]);
  const flow = b.struct('flow', 48, [
    ['saddr', be32, 0],
    ['', either, 64],
    ['mac', mac, 128],
    ['name', name, 176],
    ['on', id.bool, 208],
    ['next', text, 256],
    ['syn', id.u8, 320, 1],
    ['code', id.s32, 321, 5],
    ['action', action, 352],
  ]);
  const ctx = b.ptr(b.add('fwd', 'xdp_md', 0));
  const proto = b.proto(id.s32, [
    ['ctx', ctx],
    ['', 0],
  ]);
  const callback = b.ptr(proto);
  const filter = b.func('filter', proto, 0);
  const holder = b.struct('holder', 16, [['callback', b.add('const', '', callback), 0]]);
  const variable = b.variable('limits', b.array(b.array(id.u32, 3), 2), 0);
  const datasec = b.datasec('.bss', [[variable, 0, 24]]);
  const tag = b.add('decl_tag', 'user', flow, [0xffff_ffff]);
  return {
    builder: b,
    id: { ...id, be32, action, mode, wide, mac, name, text, flow, proto, filter, holder, variable, datasec, tag },
  };
}

const parsed = () => {
  const { builder, id } = example();
  return { btf: parseBtf(builder.bytes()), id };
};

describe('a BTF section', () => {
  const { btf, id } = parsed();

  it('gives types under the names that the documentation gives them', () => {
    expect(btf.typeById(0)).toEqual({ kind: 'void', name: '' });
    expect(btf.typeById(id.s32)).toMatchObject({
      kind: 'int',
      name: 'int',
      size: 4,
      signed: true,
      bits: 32,
      offset: 0,
    });
    expect(btf.typeById(id.wide)).toMatchObject({ signed: false, values: [{ name: 'HIGH', value: 2n ** 64n - 1n }] });
    expect(btf.typeById(id.mode)).toMatchObject({ signed: true, values: [{ name: 'OFF', value: -1n }] });
    expect(btf.typeById(id.filter)).toEqual({ kind: 'func', name: 'filter', type: id.proto, linkage: 'static' });
    expect(btf.typeById(id.datasec)).toMatchObject({ variables: [{ type: id.variable, offset: 0, size: 24 }] });
    expect(btf.typeById(id.tag)).toEqual({ kind: 'decl_tag', name: 'user', type: id.flow, componentIndex: -1 });
    expect(btf.types).toHaveLength(btf.count);
    expect(btf.types[id.flow]).toMatchObject({ members: { 7: { name: 'code', bitOffset: 321, bitfieldSize: 5 } } });
  });

  it('finds types by name', () => {
    expect(btf.findByName('flow')).toBe(id.flow);
    expect(btf.findByName('flow', 'union')).toBeUndefined();
    expect(btf.findByName('fl')).toBeUndefined();
    expect(() => btf.typeById(btf.count)).toThrow('there is no type');
  });

  it('knows sizes', () => {
    const sizes = [id.flow, id.be32, id.text, id.mac, id.variable, id.filter, 0].map((type) => sizeOf(btf, type));
    expect(sizes).toEqual([48, 4, 8, 6, 24, null, null]);
  });

  it.each([
    ['flow', 'struct flow { __be32 saddr; union { struct { unsigned int low; unsigned int high; }; long both; }; unsigned char mac[6]; char name[4]; _Bool on; const char *next; unsigned char syn : 1; int code : 5; enum xdp_action action; }'],
    ['be32', 'typedef unsigned int __be32'],
    ['action', 'enum xdp_action { XDP_ABORTED = 0, XDP_DROP = 1 }'],
    ['filter', 'static int filter(struct xdp_md *ctx, ...)'],
    ['holder', 'struct holder { int (*const callback)(struct xdp_md *ctx, ...); }'],
    ['variable', 'static unsigned int limits[2][3]'],
    ['datasec', 'section .bss { unsigned int limits[2][3]; }'],
  ] as const)('declares %s as C does', (name, text) => expect(formatType(btf, id[name])).toBe(text)); // biome-ignore format: a table

  it('decodes a value', () => {
    const bytes = new Uint8Array(48);
    bytes.set([1, 0, 0, 10], 0);
    bytes.set([1, 0, 0, 0, 2], 8);
    bytes.set([0xde, 0xad, 0xbe, 0xef, 0, 1], 16);
    bytes.set([0x65, 0x6e, 0x30], 22);
    bytes[26] = 1;
    bytes.set([0xf0, 0xff], 32);
    bytes[40] = 0b100001; // syn, and −16 in the five bits above it
    bytes[44] = 1;
    expect(formatValue(btf, id.flow, bytes)).toEqual({
      saddr: 0x0a000001,
      low: 1,
      high: 2,
      both: 0x2_0000_0001,
      mac: [0xde, 0xad, 0xbe, 0xef, 0, 1],
      name: 'en0',
      on: true,
      next: '0xfff0',
      syn: 1,
      code: -16,
      action: 'XDP_DROP',
    });
    expect(formatValue(btf, id.flow, bytes.subarray(0, 8))).toMatchObject({ saddr: 0x0a000001, low: null, mac: [null, null, null, null, null, null] }); // biome-ignore format: one fact
  });

  it.each([
    ['a number beyond 2^53', 'wide', [1, 0, 0, 0, 0, 0, 0, 0x80], '9223372036854775809'],
    ['an enum without a name for it', 'action', [9, 0, 0, 0], 9],
    ['a negative enum', 'mode', [255, 255, 255, 255], 'OFF'],
    ['text that is none', 'name', [1, 0x61, 0, 0], [1, 97, 0, 0]],
    ['a double', 'float', [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1.5],
    ['a double that JSON lacks', 'float', [0, 0, 0, 0, 0, 0, 0xf0, 0x7f], 'Infinity'],
    ['128 bits', 'u128', [...new Array(15).fill(0), 1], (2n ** 120n).toString()],
  ] as const)('decodes %s', (_, name, bytes, value) => {
    expect(formatValue(btf, id[name], Uint8Array.from([...bytes] as number[]))).toEqual(value);
  });

  it.each([
    [0, '.saddr'],
    [5, null],
    [12, '.high'],
    [18, '.mac[2]'],
    [40, '.syn'],
    [48, null],
  ])('finds what lies at byte %i', (offset, path) => expect(memberAt(btf, id.flow, offset)?.path ?? null).toBe(path));
});

it.each([
  ['task_struct', 'task_struct'],
  ['task_struct___old', 'task_struct'],
  ['a___b___c', 'a___b'],
  ['a____b', 'a____b'],
  ['___b', '___b'],
  ['a___', 'a___'],
])('the essential name of %s is %s', (name, essential) => expect(essentialName(name)).toBe(essential));

describe('.BTF.ext', () => {
  const { builder: b, id } = example();
  const bytes = b.ext(
    'xdp',
    [[0, id.filter]],
    [
      [0, 'filter.c', 'int filter(struct xdp_md *ctx)', 12, 5],
      [8, 'filter.c', '  return 0;', 14, 1023],
    ],
    [[8, id.flow, '0:1:1', 'field_exists']],
  );
  const btf = parseBtf(b.bytes());

  it('gives functions, lines and relocations by section', () => {
    const { functions, lines, core } = parseBtfExt(bytes, btf);
    expect([...functions]).toEqual([['xdp', [{ offset: 0, typeId: id.filter }]]]);
    expect(lines.get('xdp')).toEqual([
      { offset: 0, file: 'filter.c', line: 12, column: 5, text: 'int filter(struct xdp_md *ctx)' },
      { offset: 8, file: 'filter.c', line: 14, column: 1023, text: '  return 0;' },
    ]);
    const relocation = { section: 'xdp', offset: 8, typeId: id.flow, accessString: '0:1:1', kind: 'field_exists' };
    expect(core.get('xdp')).toEqual([relocation]);
  });

  it.each([
    ['records too short', 32, 4, 'records of 4 bytes where at least 8 are needed'],
    ['a count that does not fit', 40, 1 << 30, '1073741824 records'],
    ['a name that is not there', 36, 1 << 30, 'there is no string'],
    ['an unknown relocation', bytes.length - 4, 13, 'CO-RE relocation of kind 13'],
    ['a part outside of the section', 12, 1 << 20, 'the section ends before'],
  ])('refuses %s', (_, offset, word, message) => {
    const bad = bytes.slice();
    new DataView(bad.buffer).setUint32(offset, word, true);
    expect(() => parseBtfExt(bad, btf)).toThrow(message);
  });
});

describe('a bad BTF section is refused:', () => {
  const refusal = (bytes: Uint8Array): LoadError => {
    try {
      parseBtf(bytes);
    } catch (error) {
      if (error instanceof LoadError) return error;
      throw error;
    }
    throw new Error('it was taken');
  };
  const built = (build: (b: BtfBuilder) => void) => {
    const b = new BtfBuilder();
    build(b);
    return b.bytes();
  };
  const chain = (b: BtfBuilder, length: number) => {
    let type = b.int('int', 4);
    for (let i = 0; i < length; i++) type = b.add('const', '', type);
  };

  it.each([
    ['empty', new Uint8Array(), 'btf-truncated', 0],
    ['not BTF', Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), 'btf-magic', 0],
    ['big-endian', Uint8Array.of(0xeb, 0x9f, 1, 0), 'btf-big-endian', 0],
    ['an unknown kind', built((b) => b.add('later' as BtfKind, '', 0)), 'btf-kind', 28],
    ['a type id too high', built((b) => b.ptr(2)), 'btf-type-id', 32],
    ['a typedef of itself', built((b) => b.add('typedef', 't', 1)), 'btf-cycle', 24],
    ['a struct in itself', built((b) => b.struct('s', 4, [['a', b.array(2, 1), 0]])), 'btf-cycle', 24],
    ['too deep', built((b) => chain(b, 100)), 'btf-too-deep', 24 + 16 + 63 * 12],
    ['linkage', built((b) => b.variable('v', 0, 3)), 'btf-linkage', 24],
    [
      'cut in a record',
      patched(
        built((b) => b.struct('s', 4, [['a', 0, 0]])),
        12,
        20,
      ),
      'btf-truncated',
      24,
    ],
    [
      'a name outside',
      patched(
        built((b) => b.int('i', 4)),
        24,
        99,
      ),
      'btf-name',
      24,
    ],
    [
      'no end of the strings',
      patched(
        built((b) => b.int('i', 4)),
        20,
        2,
      ),
      'btf-strings',
      41,
    ],
  ])('%s', (_, bytes, code, offset) => {
    expect(refusal(bytes).detail).toMatchObject({ code, stage: 'btf', section: '.BTF', offset });
  });

  it('types that refer to one another through pointers are not bad, and end', () => {
    const b = new BtfBuilder();
    b.struct('list', 8, [['next', b.ptr(2), 0]]);
    b.ptr(4);
    b.ptr(3);
    const proto = b.proto(6, new Array(100).fill(['f', 6]));
    const endless = b.ptr(proto);
    const btf: Btf = parseBtf(b.bytes());
    expect(formatType(btf, 2)).toBe('struct list { struct list *next; }');
    expect(formatType(btf, 3)).toMatch(/^…/);
    expect(formatType(btf, endless).length).toBeLessThan(1_000_000);
  });
});

function patched(bytes: Uint8Array, offset: number, word: number): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(offset, word, true);
  return bytes;
}
