import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LoadError } from '../base/errors.ts';
import {
  parseClassicBytes,
  parseClassicText,
  translateClassic,
  translateClassicText,
  validateClassic,
} from './classic.ts';
import { decode } from './codec.ts';
import { unhex } from './instruction.arbitrary.ts';

/** `-ddd` text of instructions given as `code jt jf k`. */
const counted = (...rows: string[]) => [rows.length, ...rows].join('\n');
const translated = (...rows: string[]) =>
  translateClassicText(parseClassicText(counted(...rows)))
    .trim()
    .split('\n');
/** Without the start that every translation has, and the `ret #0` that ends the filter. */
const middle = (...rows: string[]) => translated(...rows, '6 0 0 0').slice(3, -2);
const errorOf = (run: () => unknown): LoadError => {
  try {
    run();
  } catch (error) {
    if (error instanceof LoadError) return error;
  }
  throw new Error('no LoadError');
};

// tcpdump 4.99: tcpdump -y EN10MB -ddd 'tcp port 80 and ip'
const TCP_80 = `13
40 0 0 12
21 0 10 2048
48 0 0 23
21 0 8 6
40 0 0 20
69 6 0 8191
177 0 0 14
72 0 0 14
21 2 0 80
72 0 0 16
21 0 1 80
6 0 0 262144
6 0 0 0
`;

describe('reading', () => {
  const filter = [
    { code: 40, jt: 0, jf: 0, k: 12 },
    { code: 21, jt: 0, jf: 1, k: 2048 },
    { code: 6, jt: 0, jf: 0, k: 262144 },
    { code: 6, jt: 0, jf: 0, k: 0 },
  ];
  it.each([
    ['tcpdump -ddd', '4\n40 0 0 12\n21 0 1 2048\n6 0 0 262144\n6 0 0 0\n'],
    ['the same between commas', '4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0'],
    [
      'tcpdump -dd',
      '{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000800 },\n{ 0x6, 0, 0, 0x00040000 },\n{ 0x6, 0, 0, 0x00000000 },\n',
    ],
  ])('%s', (_, text) => expect(parseClassicText(text)).toEqual(filter));

  it('struct sock_filter', () => {
    expect(parseClassicBytes(unhex('280000000c000000 1500000100080000 0600000000000400 0600000000000000'))).toEqual(
      filter,
    );
    expect(errorOf(() => parseClassicBytes(unhex('280000')))).toMatchObject({ detail: { code: 'misaligned-length' } });
  });

  it.each([
    ['', 'there is no count of instructions'],
    ['2\n6 0 0 0', '2 instructions are announced, 1 follow'],
    ['1\n6 0 0', 'instruction 0 is not four numbers'],
    ['1\n6 0 0 4294967296', 'instruction 0 is not four numbers'],
    ['1\n6 0 -1 0', 'instruction 0 is not four numbers'],
    ['{ 6, 0, 256, 0 }', 'instruction 0 is not four numbers'],
    ['1\nret 0 0 0', 'instruction 0 is not four numbers'],
  ])('refuses %j', (text, message) => expect(() => parseClassicText(text)).toThrow(message));

  it('never throws anything but a LoadError', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('0', '9', ' ', '\n', ',', '{', '}', 'x') })),
        (text) => {
          try {
            parseClassicText(text);
          } catch (error) {
            expect(error).toBeInstanceOf(LoadError);
          }
        },
      ),
    );
  });
});

describe('validation, as Linux has it for a socket', () => {
  it.each([
    ['unknown-opcode', counted('255 0 0 0', '6 0 0 0')],
    ['unknown-opcode', counted('14 0 0 0')], // ret x
    ['division-by-zero', counted('52 0 0 0', '6 0 0 0')],
    ['division-by-zero', counted('148 0 0 0', '6 0 0 0')],
    ['bad-shift', counted('100 0 0 32', '6 0 0 0')],
    ['bad-scratch-slot', counted('2 0 0 16', '6 0 0 0')],
    ['uninitialised-scratch', counted('96 0 0 3', '6 0 0 0')],
    ['uninitialised-scratch', counted('21 1 0 7', '2 0 0 3', '97 0 0 3', '6 0 0 0')],
    ['jump-out-of-range', counted('5 0 0 1', '6 0 0 0')],
    ['jump-out-of-range', counted('5 0 0 4294967295', '6 0 0 0')],
    ['jump-out-of-range', counted('21 0 1 0', '6 0 0 0')],
    ['no-return', counted('0 0 0 7')],
    ['unknown-ancillary', counted('32 0 0 4294963202', '6 0 0 0')],
    ['empty-filter', '0'],
    ['too-many-instructions', counted(...Array.from({ length: 4097 }, () => '6 0 0 0'))],
  ])('%s', (code, text) => {
    expect(errorOf(() => validateClassic(parseClassicText(text))).detail).toMatchObject({ code, stage: 'decode' });
  });

  it('says which instruction', () => {
    expect(errorOf(() => translated('6 0 0 0', '52 0 0 0', '6 0 0 0')).message).toBe(
      'decode: classic instruction 1 divides by 0',
    );
    expect(errorOf(() => translated('5 0 0 4294967295', '6 0 0 0')).message).toBe(
      'decode: classic instruction 0 jumps back',
    );
  });

  it('takes a slot that every way has written', () => {
    validateClassic(parseClassicText(counted('21 0 2 7', '2 0 0 3', '5 0 0 1', '2 0 0 3', '96 0 0 3', '22 0 0 0')));
  });
});

describe('translation', () => {
  it('of a filter that tcpdump made', () => {
    expect(translateClassicText(parseClassicText(TCP_80))).toBe(
      `r6 = r1
w0 = 0
w7 = 0
r0 = *(u16 *)skb[12]
if w0 != 2048 goto L12
L2:
r0 = *(u8 *)skb[23]
if w0 != 6 goto L12
L4:
r0 = *(u16 *)skb[20]
if w0 & 8191 goto L12
L6:
w8 = w0
r0 = *(u8 *)skb[14]
w0 &= 15
w0 <<= 2
w7 = w0
w0 = w8
r0 = *(u16 *)skb[r7 + 14]
if w0 == 80 goto L11
L9:
r0 = *(u16 *)skb[r7 + 16]
if w0 != 80 goto L12
L11:
w0 = 262144
exit
L12:
w0 = 0
exit
`,
    );
  });

  it.each<[name: string, row: string, lines: string[]]>([
    ['ld #7', '0 0 0 7', ['w0 = 7']],
    ['ldx #7', '1 0 0 7', ['w7 = 7']],
    ['ld len', '128 0 0 0', ['r0 = *(u32 *)(r6 + 0)']],
    ['ldx len', '129 0 0 0', ['r7 = *(u32 *)(r6 + 0)']],
    ['ld [x + 4]', '64 0 0 4', ['r0 = *(u32 *)skb[r7 + 4]']],
    ['st M[0]', '2 0 0 0', ['*(u32 *)(r10 - 64) = r0']],
    ['stx M[15]', '3 0 0 15', ['*(u32 *)(r10 - 4) = r7']],
    ['div #3', '52 0 0 3', ['w0 /= 3']],
    ['div x ends with 0 for x = 0', '60 0 0 0', ['if w7 != 0 goto +2', 'w0 = 0', 'exit', 'w0 /= w7']],
    ['mod x likewise', '156 0 0 0', ['if w7 != 0 goto +2', 'w0 = 0', 'exit', 'w0 %= w7']],
    ['rsh x', '124 0 0 0', ['w0 >>= w7']],
    ['neg', '132 0 0 0', ['w0 = -w0']],
    ['tax', '7 0 0 0', ['w7 = w0']],
    ['txa', '135 0 0 0', ['w0 = w7']],
    ['ld proto', '32 0 0 4294963200', ['r0 = *(u32 *)(r6 + 16)', 'r0 = be16 r0']],
    ['ld type', '40 0 0 4294963204', ['r0 = *(u32 *)(r6 + 4)']],
    ['ld ifindex', '48 0 0 4294963208', ['r0 = *(u32 *)(r6 + 40)', 'if w0 != 0 goto +1', 'exit']],
    ['ld mark', '32 0 0 4294963220', ['r0 = *(u32 *)(r6 + 8)']],
    ['ld queue', '32 0 0 4294963224', ['r0 = *(u32 *)(r6 + 12)']],
    ['ld rxhash', '32 0 0 4294963232', ['r0 = *(u32 *)(r6 + 68)']],
    ['ld cpu', '32 0 0 4294963236', ['call 8']],
    ['ld vlan_tci', '32 0 0 4294963244', ['r0 = *(u32 *)(r6 + 24)']],
    ['ld vlan_avail', '48 0 0 4294963248', ['r0 = *(u32 *)(r6 + 20)']],
    ['ld rand', '32 0 0 4294963256', ['call 7']],
    ['ld vlan_tpid', '32 0 0 4294963260', ['r0 = *(u32 *)(r6 + 28)', 'r0 = be16 r0']],
    // Below the network header, and the link layer's: no ancillary, the load of RFC 9669 takes them too.
    ['ld [net + 8]', '48 0 0 4293918728', ['r0 = *(u8 *)skb[4293918728]']],
  ])('%s', (_, row, lines) => expect(middle(row)).toEqual(lines));

  it.each([
    ['4294963228', "loads the device's hardware type"],
    ['4294963252', "loads the payload's offset"],
    ['4294963212', 'loads a netlink attribute'],
  ])('refuses ancillary %s', (k, message) => {
    const error = errorOf(() => translated(`32 0 0 ${k}`, '6 0 0 0'));
    expect(error.message).toContain(message);
    expect(error.detail.code).toBe('unsupported-ancillary');
  });

  it('branches both ways where neither is next, and one way where it can', () => {
    expect(translated('69 1 2 8', '6 0 0 1', '6 0 0 2', '6 0 0 3').slice(3, 5)).toEqual([
      'if w0 & 8 goto L2',
      'goto L3',
    ]);
    expect(translated('69 0 1 8', '6 0 0 1', '6 0 0 2').slice(3, 6)).toEqual(['if w0 & 8 goto L1', 'goto L2', 'L1:']);
    expect(translated('37 1 0 8', '6 0 0 1', '6 0 0 2')[3]).toBe('if w0 > 8 goto L2');
    expect(translated('61 0 1 0', '6 0 0 1', '6 0 0 2')[3]).toBe('if w0 < w7 goto L2');
    expect(translated('21 1 1 8', '6 0 0 1', '6 0 0 2')[3]).toBe('goto L2');
  });

  it('leaves out what no jump reaches', () => {
    expect(translated('6 0 0 1', '0 0 0 9', '6 0 0 2')).toEqual(['r6 = r1', 'w0 = 0', 'w7 = 0', 'w0 = 1', 'exit']);
  });

  it('the longest filter stays within the reach of a jump', () => {
    // A jump over 4093 instructions of the longest translation, six each.
    const rows = ['21 0 1 7', '5 0 0 4093', ...Array.from({ length: 4093 }, () => '177 0 0 0'), '6 0 0 0'];
    const bytes = translateClassic(parseClassicText(counted(...rows)));
    expect(decode(bytes)).toContainEqual({ kind: 'goto', target: 6 * 4093 + 5, long: false });
  });
});
