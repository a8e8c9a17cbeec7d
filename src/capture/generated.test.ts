import { describe, expect, it } from 'vitest';
import { type GeneratorOptions, generateCapture, generateFrames } from '../../tools/generate-capture.ts';
import { concatBytes } from '../base/bytes.ts';
import { frameTime } from './frame.ts';
import { createCaptureReader } from './reader.ts';

const options: GeneratorOptions = { packets: 3000, size: 'imix', seed: 5, flows: 100, profile: 'mixed' };

const captureOf = (more: Partial<GeneratorOptions> & { format: 'pcap' | 'pcapng' }) => {
  const pieces: Uint8Array[] = [];
  generateCapture({ ...options, ...more }, (piece) => pieces.push(piece));
  return concatBytes(pieces);
};

/** One's complement sum of 16-bit words; 0xffff over data that holds its own checksum (RFC 1071). */
function wordSum(bytes: readonly number[]): number {
  let sum = 0;
  bytes.forEach((byte, at) => {
    sum += at % 2 === 0 ? byte * 256 : byte;
  });
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum;
}

describe('a generated capture', () => {
  it('has checksums and lengths that hold, for every protocol', () => {
    const seen = new Set<string>();
    generateFrames(options, (frame) => {
      const bytes = [...frame.bytes.subarray(frame.start, frame.end)];
      const u16 = (at: number) => bytes[at]! * 256 + bytes[at + 1]!;
      const network = u16(12) === 0x8100 ? 18 : 14;
      const ipv4 = u16(network - 2) === 0x0800;
      const transport = network + (ipv4 ? 20 : 40);
      const protocol = bytes[network + (ipv4 ? 9 : 6)]!;
      if (ipv4) {
        expect(wordSum(bytes.slice(network, transport))).toBe(0xffff);
        expect(u16(network + 2)).toBe(bytes.length - network);
      } else {
        expect(u16(network + 4)).toBe(bytes.length - transport);
      }
      const length = bytes.length - transport;
      const addresses = bytes.slice(network + (ipv4 ? 12 : 8), transport);
      const pseudo = protocol === 1 ? [] : [...addresses, length >> 8, length & 0xff, 0, protocol];
      expect(wordSum([...pseudo, ...bytes.slice(transport)])).toBe(0xffff);
      seen.add(`${ipv4 ? 4 : 6} ${protocol} ${network === 18 ? 'vlan' : ''}`.trim());
    });
    // IPv6 with TCP does not fit into the smallest frame of the mix.
    expect([...seen].sort()).toEqual(['4 1', '4 17', '4 17 vlan', '4 6', '4 6 vlan']);
  });

  it('holds every kind of packet where frames are large enough, all of the size asked for', () => {
    const kinds = new Set<number>();
    generateFrames({ ...options, size: 99 }, ({ bytes, start, end }) => {
      expect(end - start).toBe(99);
      const tagged = bytes[12] === 0x81 ? 4 : 0;
      kinds.add(bytes[tagged + 12] === 0x86 ? 600 + bytes[tagged + 20]! : 400 + bytes[tagged + 23]!);
    });
    expect([...kinds].sort()).toEqual([401, 406, 417, 606, 617, 658]);
  });

  it('is the same for the same seed, differs for another, and reads the same in both formats', () => {
    const read = (bytes: Uint8Array) => {
      const times: bigint[] = [];
      const data: Uint8Array[] = [];
      const reader = createCaptureReader((frame) => {
        times.push(frameTime(frame));
        data.push(frame.bytes.slice(frame.start, frame.end));
      });
      reader.push(bytes);
      reader.end();
      return { times, data: concatBytes(data) };
    };
    const pcap = captureOf({ format: 'pcap' });
    expect(captureOf({ format: 'pcap' })).toEqual(pcap);
    expect(captureOf({ format: 'pcap', seed: 6 })).not.toEqual(pcap);
    const { times, data } = read(pcap);
    expect(read(captureOf({ format: 'pcapng' }))).toEqual({ times, data });
    expect(times).toHaveLength(3000);
    expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
  });

  it('refuses a frame size that no Ethernet has', () => {
    expect(() => captureOf({ format: 'pcap', size: 59 })).toThrow('a frame has 60 to 16384 bytes, not 59');
  });
});
