/** Frames as hex, header by header. */
export const hex = (...parts: string[]) => Uint8Array.fromHex(parts.join('').replaceAll(' ', ''));

export const MACS = '02 00 00 00 00 01 02 00 00 00 00 02';
const PAYLOAD = Array.from({ length: 96 }, (_, i) => (0x20 + i).toString(16).padStart(2, '0')).join('');
export const payload = (bytes: number) => PAYLOAD.slice(0, 2 * bytes);
const UDP = '0035 c000 0040 5a5a';

export const FRAMES = {
  ipv4: hex(MACS, '0800', '4500 0054 1234 4000 40 11 beef 0a000001 0a000002', UDP, payload(56)),
  ipv6: hex(MACS, '86dd', '60000000 0040 11 40', `fd${'00'.repeat(14)}01`, `fd${'00'.repeat(14)}02`, UDP, payload(56)),
  vlan: hex(MACS, '8100 6064 0800', '4500 0054 1234 4000 40 11 beef 0a000001 0a000002', UDP, payload(56)),
  qinq: hex(MACS, '88a8 0065 8100 6064 0800', '4500 0054 1234 4000 40 11 beef 0a000001 0a000002', UDP, payload(48)),
  arp: hex(MACS, '0806', '0001 0800 06 04 0001 020000000002 0a000001 000000000000 0a000002', '00'.repeat(18)),
  length: hex(MACS, '0010', '424203', payload(43)),
  ipx: hex(MACS, '0010', 'ffff03', payload(43)),
  taggedLength: hex(MACS, '8100 0007 0010', '424203', payload(43)),
  taggedIpx: hex(MACS, '8100 0007 0010', 'ffff03', payload(43)),
  short: hex(MACS, '88b5'),
  shortTag: hex(MACS, '8100'),
} as const satisfies Readonly<Record<string, Uint8Array>>;

export type FrameName = keyof typeof FRAMES;
