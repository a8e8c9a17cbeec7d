import { expect, it } from 'vitest';
import { flowHash } from './steering.ts';

/** The verification suite of the RSS specification: source, destination, hash over addresses and TCP ports. */
it.each([
  ['66.9.149.187', 2794, '161.142.100.80', 1766, 0x51ccc178],
  ['199.92.111.2', 14230, '65.69.140.83', 4739, 0xc626b0ea],
  ['24.19.198.95', 12898, '12.22.207.184', 38024, 0x5c2b394a],
])('%s:%i → %s:%i hashes as the specification says', (source, sport, destination, dport, hash) => {
  const bytes = new Uint8Array(54);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  bytes[14] = 0x45;
  bytes[23] = 6;
  bytes.set(source.split('.').map(Number), 26);
  bytes.set(destination.split('.').map(Number), 30);
  view.setUint16(34, sport);
  view.setUint16(36, dport);
  expect(flowHash({ bytes, start: 0, end: 54 })).toBe(hash);
});
