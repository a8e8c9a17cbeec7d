import { describe, expect, it } from 'vitest';
import { emptyFrame, type Frame } from './frame.ts';
import { createLinkLayer } from './link-layer.ts';
import { linkTypeName } from './link-types.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const IPV4 = '45000014000000000001b6e87f0000017f000001';
const IPV6 = '6000000000003b400000000000000000000000000000000100000000000000000000000000000001';

/** A frame whose bytes begin in the midst of a buffer, as a reader gives them. */
function frameOf(linkType: number, text: string, more: Partial<Frame> = {}): Frame {
  const data = hex(text);
  const bytes = new Uint8Array(data.length + 8).fill(0xee);
  bytes.set(data, 3);
  return { ...emptyFrame(), bytes, start: 3, end: 3 + data.length, originalLength: data.length, linkType, ...more };
}

function ethernetOf(frame: Frame) {
  const layer = createLinkLayer();
  const out = layer.toEthernet(frame);
  return {
    layer,
    out,
    hex: out && Buffer.from(out.bytes.subarray(out.start, out.end)).toString('hex'),
    given: Object.fromEntries(layer.given),
    skipped: Object.fromEntries(layer.skipped),
  };
}

it('leaves an Ethernet frame untouched and uncounted', () => {
  const frame = frameOf(1, `001122334455 66778899aabb 0800${IPV4}`);
  const { out, given, skipped } = ethernetOf(frame);
  expect(out).toBe(frame);
  expect([given, skipped]).toEqual([{}, {}]);
});

describe('an Ethernet header is given to', () => {
  const sll = (hardware: string, length: string, protocol: string, payload: string) =>
    `0000 ${hardware} ${length} 0a0b0c0d0e0f 0000 ${protocol} ${payload}`;
  const sll2 = (length: string, protocol: string, payload: string) =>
    `${protocol} 0000 00000002 0001 04 ${length} 0a0b0c0d0e0f 0000 ${payload}`;
  const zero = '000000000000';
  const source = '0a0b0c0d0e0f';

  it.each<[string, number, string, string]>([
    ['cooked v1', 113, sll('0001', '0006', '0800', IPV4), `${zero}${source}0800${IPV4}`],
    ['cooked v1 of loopback', 113, sll('0304', '0006', '86dd', IPV6), `${zero}${source}86dd${IPV6}`],
    ['cooked v1 without an address', 113, sll('fffe', '0000', '0800', IPV4), `${zero}${zero}0800${IPV4}`],
    [
      'cooked v1 with a VLAN tag',
      113,
      sll('0001', '0006', '8100', `00640800${IPV4}`),
      `${zero}${source}810000640800${IPV4}`,
    ],
    ['cooked v1 with 802.2', 113, sll('0001', '0006', '0004', '424203000000'), `${zero}${source}0006424203000000`],
    ['cooked v1 with raw 802.3', 113, sll('0001', '0006', '0001', 'ffff0022'), `${zero}${source}0004ffff0022`],
    ['cooked v2', 276, sll2('06', '0806', '0001'), `${zero}${source}08060001`],
    ['cooked v2 with an 8-byte address', 276, sll2('08', '0800', IPV4), `${zero}${zero}0800${IPV4}`],
    ['raw IPv4', 101, IPV4, `${zero}${zero}0800${IPV4}`],
    ['raw IPv6', 101, IPV6, `${zero}${zero}86dd${IPV6}`],
    ['raw IP of BSD', 12, IPV4, `${zero}${zero}0800${IPV4}`],
    ['raw IP of OpenBSD', 14, IPV6, `${zero}${zero}86dd${IPV6}`],
    ['IPv4', 228, IPV4, `${zero}${zero}0800${IPV4}`],
    ['IPv6', 229, IPV6, `${zero}${zero}86dd${IPV6}`],
    ['BSD loopback, little-endian', 0, `02000000${IPV4}`, `${zero}${zero}0800${IPV4}`],
    ['BSD loopback, big-endian', 0, `00000002${IPV4}`, `${zero}${zero}0800${IPV4}`],
    ['BSD loopback, IPv6 of macOS', 0, `1e000000${IPV6}`, `${zero}${zero}86dd${IPV6}`],
    ['OpenBSD loopback', 108, `00000018${IPV6}`, `${zero}${zero}86dd${IPV6}`],
  ])('%s', (_, linkType, bytes, ethernet) => {
    const result = ethernetOf(frameOf(linkType, bytes));
    expect(result.hex).toBe(ethernet);
    expect(result.out?.originalLength).toBe(ethernet.length / 2);
    expect([result.given, result.skipped]).toEqual([{ [linkTypeName(linkType)]: 1 }, {}]);
  });

  it('a frame whose time, index and cut length stay as they were', () => {
    const { out } = ethernetOf(
      frameOf(113, sll('0001', '0006', '0800', IPV4), { index: 7, seconds: 5, nanoseconds: 6, originalLength: 1016 }),
    );
    expect(out).toMatchObject({ index: 7, seconds: 5, nanoseconds: 6, originalLength: 1014, linkType: 1 });
  });
});

it.each<[string, number, string, string]>([
  ['another link type', 105, '0800', 'LINKTYPE_IEEE802_11'],
  ['an unknown link type', 9999, '0800', 'LINKTYPE_9999'],
  ['cooked netlink', 113, `0004 0338 0000 ${'00'.repeat(8)} 0800 ${IPV4}`, 'LINKTYPE_LINUX_SLL: ARPHRD type 824'],
  ['cooked CAN', 113, `0004 0118 0000 ${'00'.repeat(8)} 000c 00`, 'LINKTYPE_LINUX_SLL: protocol 0x000c'],
  ['a short cooked header', 276, '0800', 'LINKTYPE_LINUX_SLL2: too short for its link layer'],
  ['raw IP that is none', 101, '70', 'LINKTYPE_RAW: neither IPv4 nor IPv6'],
  ['nothing', 101, '', 'LINKTYPE_RAW: too short for its link layer'],
  ['loopback of another family', 0, '07000000', 'LINKTYPE_NULL: neither IPv4 nor IPv6'],
])('%s is skipped and counted by name', (_, linkType, bytes, reason) => {
  const { out, given, skipped } = ethernetOf(frameOf(linkType, bytes));
  expect(out).toBeUndefined();
  expect([given, skipped]).toEqual([{}, { [reason]: 1 }]);
});

it.each([
  ['whole', 24, '000102'],
  ['cut within the check sequence', 26, '0001020304'.slice(0, 10)],
  ['cut before it', 40, '00010203040506'],
])('a frame check sequence is left out of a frame captured %s', (_, original, kept) => {
  const frame = frameOf(1, `${'00'.repeat(17)}00010203040506`, { fcsLength: 4, originalLength: original });
  const { out, hex: bytes } = ethernetOf(frame);
  expect(bytes).toBe('00'.repeat(17) + kept);
  expect(out?.originalLength).toBe(original - 4);
});
