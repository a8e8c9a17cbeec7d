import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BtfBuilder } from './btf.builder.ts';
import { parseBtf } from './btf.ts';
import { encodeValue } from './encode.ts';
import { formatValue, type JsonValue } from './value.ts';

function example() {
  const b = new BtfBuilder();
  const u8 = b.int('unsigned char', 1);
  const u16 = b.int('unsigned short', 2);
  const s32 = b.int('int', 4, 'signed');
  const u64 = b.int('unsigned long long', 8);
  const char = b.int('char', 1, 'signed');
  const action = b.enum('xdp_action', [
    ['XDP_ABORTED', 0],
    ['XDP_DROP', 1],
  ]);
  const ports = b.struct('', 4, [
    ['source', u16, 0],
    ['dest', u16, 16],
  ]);
  const flow = b.struct('flow', 32, [
    ['bytes', u64, 0],
    ['', ports, 64],
    ['mac', b.array(u8, 6), 96],
    ['name', b.array(char, 4), 144],
    ['syn', u8, 176, 1],
    ['code', s32, 177, 7],
    ['last', u8, 184],
    ['delta', s32, 192],
    ['action', action, 224],
  ]);
  return { btf: parseBtf(b.bytes()), flow, u64 };
}

describe('a value in JSON becomes its bytes', () => {
  const { btf, flow, u64 } = example();

  it('whatever the bytes, as they were shown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(encodeValue(btf, flow, formatValue(btf, flow, bytes))).toEqual(bytes);
      }),
    );
  });

  it('with what is left out zero, and names, text and 0x numbers understood', () => {
    const value = { bytes: '0x1122334455667788', dest: 443, name: 'en0', code: -3, action: 'XDP_DROP', mac: [1, 2] };
    const bytes = encodeValue(btf, flow, value);
    expect(bytes.toHex()).toBe('8877665544332211' + '0000bb01' + '010200000000' + '656e3000' + 'fa00' + '00000000' + '01000000'); // biome-ignore format: by member
    expect(encodeValue(btf, u64, '18446744073709551615').toHex()).toBe('ffffffffffffffff');
  });

  it.each([
    [{ colour: 1 }, 'colour is no member; there are: bytes, source, dest'],
    [{ dest: 65536 }, 'dest is to be from 0 to 65535, not 65536'],
    [{ code: 64 }, 'code is to be from -64 to 63, not 64'],
    [{ mac: [1, 2, 3, 4, 5, 6, 7] }, 'mac has 7 elements; there is room for 6'],
    [{ mac: [0, 'x'] }, 'mac[1] is to be a whole number'],
    [{ name: 'eth10' }, 'name has 5 bytes of text; there is room for 4'],
    [{ action: 'XDP_PAS' }, 'action is to be a whole number'],
    [{ bytes: 1.5 }, 'bytes is to be a whole number'],
    [7, 'it is to be an object with the members of struct flow'],
  ] as readonly [JsonValue, string][])('or is refused: %j', (value, words) => {
    expect(() => encodeValue(btf, flow, value)).toThrow(words);
  });
});
