import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PcapSample, pcapBytes, pcapngBlocks } from '../../tools/fuzz/capture-samples.ts';
import { concatBytes } from '../base/bytes.ts';
import { CaptureError } from '../base/errors.ts';
import type { CaptureOptions } from './frame.ts';
import { summarizeCapture } from './ingest.ts';
import { createCaptureReader } from './reader.ts';
import { type CaptureSummary, SummaryBuilder } from './summary.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function streamOf(bytes: Uint8Array, size = bytes.length || 1): Readable {
  const count = Math.ceil(bytes.length / size);
  return Readable.from(Array.from({ length: count }, (_, i) => Buffer.from(bytes.subarray(i * size, (i + 1) * size))));
}

/** The summary by the project's own reader alone. */
function ownSummary(bytes: Uint8Array, options: CaptureOptions = {}): CaptureSummary {
  const summary = new SummaryBuilder();
  const reader = createCaptureReader((frame) => summary.add(frame), options);
  try {
    reader.push(bytes);
    reader.end();
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return summary.finish(reader, error);
  }
  return summary.finish(reader);
}

const repeat = <T>(count: number, item: T): T[] => Array(count).fill(item);
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const zeros = (count: number) => '00'.repeat(count);
const ipv4 = (protocol: string) => `45 ${zeros(8)} ${protocol} ${zeros(10)}`;
const ipv6 = (next: string, rest: string) => `60 ${zeros(5)} ${next} ${zeros(33)} ${rest}`;

it('a summary counts packets, bytes, times, link types, protocols and sizes', async () => {
  const mac = zeros(12);
  const summary = await summarizeCapture(
    streamOf(
      pcapBytes({
        magic: 0xa1b23c4d,
        littleEndian: false,
        packets: [
          { data: hex(`${mac} 0800 ${ipv4('06')}`), seconds: 20, fraction: 5, original: 1514 },
          { data: hex(`${mac} 8100 0001 88a8 0002 0800 ${ipv4('11')}`), seconds: 10, fraction: 7 },
          { data: hex(`${mac} 86dd ${ipv6('00', `2c01 ${zeros(14)} 3a00 ${zeros(6)}`)}`), seconds: 30, fraction: 9 },
          { data: hex(`${mac} 0806`), seconds: 15, original: 60 },
          { data: hex(`${mac} 0026 4242`), seconds: 15, original: 9217 },
          { data: hex('0011'), seconds: 15 },
        ],
      }),
    ),
  );
  expect(summary).toEqual({
    format: 'pcap',
    byteOrder: 'big-endian',
    resolution: '10^-9',
    interfaces: 1,
    packets: 6,
    capturedBytes: 34 + 42 + 78 + 14 + 16 + 2,
    originalBytes: 1514 + 42 + 78 + 60 + 9217 + 2,
    firstTime: '10000000007',
    lastTime: '30000000009',
    linkTypes: { LINKTYPE_ETHERNET: 6 },
    etherTypes: { IPv4: 2, '802.3': 1, ARP: 1, IPv6: 1, none: 1 },
    ipProtocols: { ICMPv6: 1, TCP: 1, UDP: 1 },
    sizes: [
      { from: 0, packets: 3 },
      { from: 64, packets: 0 },
      { from: 65, packets: 1 },
      { from: 128, packets: 0 },
      { from: 256, packets: 0 },
      { from: 512, packets: 0 },
      { from: 1024, packets: 1 },
      { from: 1519, packets: 0 },
      { from: 9217, packets: 1 },
    ],
    error: null,
  });
});

it('a pcapng capture gets the same summary, over its sections and interfaces', async () => {
  const make = pcapngBlocks(true);
  const swapped = pcapngBlocks(false);
  const bytes = concatBytes([
    make.section(),
    make.interface(101),
    make.interface(105, 0, [[9, Uint8Array.of(9)]]),
    make.enhanced(0, 5n, hex(ipv4('01'))),
    make.enhanced(1, 5n, hex('08')),
    swapped.section(),
    swapped.interface(1),
    swapped.simple(hex(`${zeros(12)} 0800 ${ipv4('01')}`)),
  ]);
  const summary = await summarizeCapture(streamOf(bytes, 7));
  expect(summary).toMatchObject({
    format: 'pcapng',
    byteOrder: 'mixed',
    resolution: 'mixed',
    interfaces: 3,
    packets: 3,
    firstTime: '5',
    lastTime: '5000',
    linkTypes: { LINKTYPE_ETHERNET: 1, LINKTYPE_IEEE802_11: 1, LINKTYPE_RAW: 1 },
    ipProtocols: { ICMP: 2 },
    error: null,
  });
  expect(summary).toEqual(ownSummary(bytes));
});

describe('guard and pcap-parser together', () => {
  const sampleArbitrary: fc.Arbitrary<PcapSample> = fc.record({
    magic: fc.constantFrom(0xa1b2c3d4, 0xa1b23c4d),
    littleEndian: fc.boolean(),
    linkTypeField: fc.constantFrom(1, 0, 101, 113, 276, 105, 0x2400_0001),
    version: fc.constantFrom<[number, number]>([2, 4], [2, 4], [2, 4], [2, 4], [2, 5], [543, 4]),
    packets: fc.array(
      fc.record({
        data: fc.oneof(
          fc.uint8Array({ maxLength: 80 }),
          fc.uint8Array({ maxLength: 60 }).map((tail) => concatBytes([hex(`${zeros(12)} 0800 45`), tail])),
          fc.nat({ max: 5000 }).map((length) => new Uint8Array(length)),
        ),
        seconds: fc.nat({ max: 0xffff_ffff }),
        fraction: fc.nat({ max: 0xffff_ffff }),
        original: fc.nat({ max: 20_000 }),
      }),
      { maxLength: 20 },
    ),
  });

  it('give the summary that the own reader gives, for whole, cut and damaged captures in any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        sampleArbitrary,
        fc.nat({ max: 40 }),
        fc.option(fc.tuple(fc.nat(), fc.nat({ max: 255 }))),
        fc.constantFrom(1, 3, 16, 50, 1000, 1_000_000),
        async (sample, cut, damage, chunk) => {
          const whole = pcapBytes(sample);
          const bytes = whole.slice(0, cut < 20 ? whole.length : whole.length - cut);
          if (damage !== null) bytes[damage[0] % bytes.length] = damage[1];
          const options = { maxFrame: 100_000 };
          expect(await summarizeCapture(streamOf(bytes, chunk), options)).toEqual(ownSummary(bytes, options));
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([
    ['what a hostile record length promises', [{ data: hex('00') }, { data: hex(''), captured: 0xffff_fff0 }], 1],
    ['a capture longer than memory should be', repeat(250, { data: new Uint8Array(4000) }), 250 * 201],
  ])('do not buffer %s', async (_, packets, expected) => {
    const capture = Buffer.from(pcapBytes({ packets }));
    const more = expected > 1 ? capture.subarray(24) : Buffer.alloc(1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    function* flood() {
      yield capture;
      for (let i = 0; i < 200; i++) {
        // What is held counts, not what waits to be collected.
        if (i % 20 === 19) {
          collectGarbage();
          most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        }
        yield more;
      }
    }
    const summary = await summarizeCapture(Readable.from(flood()));
    expect(summary.packets).toBe(expected);
    expect(summary.error?.code).toBe(expected > 1 ? undefined : 'record-too-long');
    expect(most).toBeLessThan(100 * 1024 * 1024);
  });

  it('name the end of a capture that is cut', async () => {
    const bytes = pcapBytes({ packets: repeat(3, { data: hex('0011') }) });
    const summary = await summarizeCapture(streamOf(bytes.subarray(0, bytes.length - 1)));
    expect(summary).toMatchObject({ packets: 2, error: { code: 'truncated', packet: 2 } });
    expect(await summarizeCapture(streamOf(new Uint8Array(0)))).toMatchObject({
      format: null,
      error: { code: 'empty' },
    });
  });
});

it('an error of the source rejects, and so does a source that is closed before its end', async () => {
  const failing = new Readable({
    read() {
      this.destroy(new TypeError('disk on fire'));
    },
  });
  await expect(summarizeCapture(failing)).rejects.toThrow('disk on fire');
  const closing = new Readable({ read() {} });
  closing.push(pcapBytes({}));
  setImmediate(() => closing.destroy());
  await expect(summarizeCapture(closing)).rejects.toThrow();
  const closed = new Readable({ read() {} });
  closed.destroy();
  await expect(summarizeCapture(closed)).rejects.toThrow();
});

const recorded = new URL('../../pcaps/', import.meta.url);

it.each(readdirSync(recorded).filter((name) => /\.pcap(ng)?$/.test(name)))('pcaps/%s is read whole', async (name) => {
  const bytes = readFileSync(new URL(name, recorded));
  const summary = await summarizeCapture(streamOf(bytes, 10_000));
  expect(summary.error).toBeNull();
  expect(summary.packets).toBeGreaterThan(0);
  expect(summary).toEqual(ownSummary(bytes));
});
