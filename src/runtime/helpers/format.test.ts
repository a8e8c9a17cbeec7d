import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '../../base/bytes.ts';
import { Printed, print, textToBytes } from './format.ts';

type Argument = bigint | number | string | Uint8Array;

const FORMAT = 65536;
const EINVAL = -22;
const ENOSPC = -28;

/** The text, or an errno; strings and bytes are passed by address. */
function printed(format: string, ...args: readonly Argument[]): string | number {
  const u8 = new Uint8Array(2 * 65536);
  let at = FORMAT;
  const place = (bytes: Uint8Array) => {
    u8.set(bytes, at);
    at += bytes.length + 1;
    return BigInt(at - bytes.length - 1);
  };
  const size = encodeUtf8(format).length + 1;
  place(encodeUtf8(format));
  const values = args.map((argument) => {
    if (typeof argument === 'string') return place(encodeUtf8(argument));
    return BigInt.asUintN(64, argument instanceof Uint8Array ? place(argument) : BigInt(argument));
  });
  const memory = { u8, u32: new Uint32Array(u8.buffer), view: new DataView(u8.buffer) };
  const result = new Printed(4096);
  const error = print(memory, FORMAT, size, { count: values.length, at: (index) => values[index]! }, result);
  return error === 0 ? new TextDecoder().decode(textToBytes(result.text)) : error;
}

const IP4 = Uint8Array.of(1, 2, 160, 255);
const IP6 = Uint8Array.fromHex('20010db800000000000000000000abcd');

// Each line is what bpf_snprintf of Linux 6.18 printed.
describe('formats', () => {
  it.each<[string, readonly Argument[], string]>([
    ['no directive, 100%%', [], 'no directive, 100%'],
    ['%d %i %u', [-7, -7, -7], '-7 -7 4294967289'],
    ['%ld %lld %lu', [-7, -7, -7], '-7 -7 18446744073709551609'],
    ['%x %X %lx %llX', [-1, 0xabc, -1, 0xabc], 'ffffffff ABC ffffffffffffffff ABC'],
    ['%d', [0x1_0000_0005], '5'],
    ['[%5d|%-5d|%05d|%+d|% d]', [42, 42, 42, 42, 42], '[   42|42   |00042|+42| 42]'],
    ['[%05d|%-05d|%+05d|%5x]', [-42, 42, 42, 255], '[-0042|42   |+0042|   ff]'],
    ['[%+u|% x]', [5, 5], '[5|5]'],
    ['[%s|%5s|%-5s|%05s]', ['ab', 'ab', 'ab', 'ab'], '[ab|   ab|ab   |   ab]'],
    ['[%c|%3c|%-3c]', [65, 66, 67], '[A|  B|C  ]'],
    ['%cx%dx', [65, 1], 'Ax1x'],
    ['%s_%s', ['a', 'b'], 'a_b'],
    ['%s', [0], ''],
    ['%px %20px|%5pK', [0x1234, 0x1234, 0], '0000000000001234                 1234|    0'],
    ['%ps %10pS|%10pB', [5, 5, 5], '0x5        0x5|0x5'],
    ['%pI4 %pi4 %20pI4', [IP4, IP4, IP4], '1.2.160.255 001.002.160.255 1.2.160.255'],
    ['%pI6', [IP6], '2001:0db8:0000:0000:0000:0000:0000:abcd'],
    ['%pi6', [IP6], '20010db800000000000000000000abcd'],
    ['%pI4', [0], '0.0.0.0'],
    // All letters and digits behind a pointer are passed over.
    ['%pI6c,%pxyz!', [IP6, 5], '2001:0db8:0000:0000:0000:0000:0000:abcd,0000000000000005!'],
    ['%pks %pus.', ['kernel', 'user'], 'kernel .'],
    ['é %s', ['ü'], 'é ü'],
    ['tab\tand\nline', [], 'tab\tand\nline'],
  ])('%j of %j', (format, args, text) => expect(printed(format, ...args)).toBe(text));

  it.each<[string, readonly Argument[]]>([
    ['%', [1]],
    ['%5', [1]],
    ['%5%', [1]],
    ['%o', [1]],
    ['%hd', [1]],
    ['%zd', [1]],
    ['%#x', [1]],
    ['%.3d', [1]],
    ['%llld', [1]],
    ['%ls', ['a']],
    ['%sx', ['a']],
    ['%sé', ['a']],
    ['%py', [1]],
    ['%pI5', [IP4]],
    ['%pI', [IP4]],
    ['%d %d', [1]],
    ['\x01', []],
    ['\x7f', []],
  ])('refuses %j of %j', (format, args) => expect(printed(format, ...args)).toBe(EINVAL));

  it('refuses a format without its NUL', () => {
    const u8 = new Uint8Array(2 * 65536).fill(65);
    const memory = { u8, u32: new Uint32Array(u8.buffer), view: new DataView(u8.buffer) };
    expect(print(memory, FORMAT, 10, { count: 0, at: () => 0n }, new Printed(9))).toBe(EINVAL);
  });

  it('has 512 bytes for what the arguments point to: strings are cut, numbers refused', () => {
    const text = (length: number) => 'a'.repeat(length);
    expect(printed('%s', text(600))).toBe(text(511));
    expect(printed('%s%d', text(507), 1)).toBe(`${text(507)}1`);
    expect(printed('%s%d', text(508), 1)).toBe(ENOSPC);
    expect(printed('%s%s', text(506), 'bcdefgh')).toBe(`${text(506)}bcde`);
    expect(printed('%s%s', text(511), 'b')).toBe(ENOSPC);
    expect(printed('%s%pI4', text(507), IP4)).toBe(`${text(507)}1.2`);
    expect(printed('%s%pI4', text(508), IP4)).toBe(ENOSPC);
  });

  it('keeps what fits and counts the rest', () => {
    const u8 = new Uint8Array(65536 + 64);
    u8.set(encodeUtf8('%8000000d|%d'), FORMAT);
    const memory = { u8, u32: new Uint32Array(u8.buffer), view: new DataView(u8.buffer) };
    const result = new Printed(4);
    expect(print(memory, FORMAT, 64, { count: 2, at: () => 5n }, result)).toBe(0);
    expect(result).toMatchObject({ text: '   ', length: 8_000_002 });
  });

  it('counts no address behind the end, as Linux does not', () => {
    const u8 = new Uint8Array(65536 + 64);
    u8.set(encodeUtf8('%pI4 %pI4s'), FORMAT);
    const memory = { u8, u32: new Uint32Array(u8.buffer), view: new DataView(u8.buffer) };
    const result = new Printed(7);
    print(memory, FORMAT, 64, { count: 2, at: () => 0n }, result);
    expect(result).toMatchObject({ text: '0.0.0.', length: 8 });
  });
});
