import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PcapSample, pcapBytes, pcapngBlocks } from '../../tools/fuzz/capture-samples.ts';
import { concatBytes, encodeUtf8 } from '../base/bytes.ts';
import { CaptureError } from '../base/errors.ts';
import { type CaptureOptions, type FrameHandler, frameTime } from './frame.ts';
import { createCaptureReader, type Room, readCaptureFile, readCaptureStream } from './reader.ts';

const hello = encodeUtf8('hello');
const world = encodeUtf8('world!!');

/** Reads in chunks of the given sizes (the last one repeats) and returns all that can be seen of it. */
function read(
  bytes: Uint8Array,
  options: CaptureOptions = {},
  chunkSizes: readonly number[] = [bytes.length || 1],
  room?: Room,
) {
  const frames: { text: string; time: bigint; original: number; link: number; interface: number }[] = [];
  const onFrame: FrameHandler = (frame) => {
    frames.push({
      text: Buffer.from(frame.bytes.subarray(frame.start, frame.end)).toString('latin1'),
      time: frameTime(frame),
      original: frame.originalLength,
      link: frame.linkType,
      interface: frame.interfaceId,
    });
  };
  const reader = createCaptureReader(onFrame, options, undefined, room);
  let error: CaptureError | undefined;
  try {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = chunkSizes[Math.min(i, chunkSizes.length - 1)]!;
      // What is wiped afterwards shows whether the reader holds on to a chunk.
      const free = room?.bytes.subarray(room.front) ?? new Uint8Array(size);
      const next = bytes.subarray(at, at + Math.min(size, free.length));
      free.set(next);
      reader.push(free.subarray(0, next.length));
      free.fill(0xee);
      at += next.length;
    }
    reader.end();
  } catch (caught) {
    if (!(caught instanceof CaptureError)) throw caught;
    error = caught;
  }
  return { frames, reader, code: error?.detail.code, offset: error?.detail.offset, message: error?.message };
}

const texts = (bytes: Uint8Array) => read(bytes).frames.map((frame) => frame.text);

describe('pcap', () => {
  const packets = [
    { data: hello, seconds: 1_700_000_000, fraction: 123_456, original: 60 },
    { data: new Uint8Array(0), seconds: 1_700_000_000, fraction: 123_457 },
    { data: world, seconds: 4_000_000_000, fraction: 999_999 },
  ];

  it.each([true, false])('is read in both byte orders and resolutions (little-endian: %s)', (littleEndian) => {
    const microseconds = read(pcapBytes({ littleEndian, packets }));
    expect(microseconds.frames).toEqual([
      { text: 'hello', time: 1_700_000_000_123_456_000n, original: 60, link: 1, interface: 0 },
      { text: '', time: 1_700_000_000_123_457_000n, original: 0, link: 1, interface: 0 },
      { text: 'world!!', time: 4_000_000_000_999_999_000n, original: 7, link: 1, interface: 0 },
    ]);
    expect(microseconds.code).toBeUndefined();
    expect(microseconds.reader.byteOrder).toBe(littleEndian ? 'little-endian' : 'big-endian');
    expect(microseconds.reader.interfaces[0]?.resolution).toBe('10^-6');

    const nanoseconds = read(pcapBytes({ littleEndian, packets, magic: 0xa1b23c4d }));
    expect(nanoseconds.frames[0]?.time).toBe(1_700_000_000_000_123_456n);
  });

  it('takes the link type from the low bits and the FCS length from the high ones', () => {
    const { reader, frames } = read(pcapBytes({ linkTypeField: 0x2400_0071, packets: [{ data: hello }] }));
    expect(reader.interfaces[0]).toMatchObject({ linkType: 113, fcsLength: 4 });
    expect(frames[0]?.link).toBe(113);
  });

  it('carries a fraction of more than a second into the seconds', () => {
    const { frames } = read(pcapBytes({ packets: [{ data: hello, seconds: 10, fraction: 2_500_000 }] }));
    expect(frames[0]?.time).toBe(12_500_000_000n);
  });

  it.each<[string, string, number, PcapSample]>([
    ['a version other than 2.4', 'unsupported-version', 4, { version: [2, 3] }],
    ['reserved bits of the link type', 'bad-link-type', 20, { linkTypeField: 0x0001_0001 }],
    ['a modified capture', 'unknown-format', 0, { magic: 0xa1b2cd34 }],
    ['a modified capture, swapped', 'unknown-format', 0, { magic: 0xa1b2cd34, littleEndian: false }],
    [
      'a record of 4 GiB after a good one',
      'record-too-long',
      45,
      { packets: [{ data: hello }, { data: world, captured: 0xffff_ffff }] },
    ],
  ])('refuses %s', (_, code, offset, sample) => {
    const result = read(pcapBytes(sample));
    expect([result.code, result.offset]).toEqual([code, offset]);
    expect(result.frames).toHaveLength(Math.max((sample.packets?.length ?? 0) - 1, 0));
  });

  it('names the bound and the option that raises it', () => {
    const bytes = pcapBytes({ packets: [{ data: world }] });
    expect(read(bytes, { maxFrame: 6 }).message).toBe(
      'capture: a record claims 7 bytes, above the bound maxFrame of 6 at offset 24, after 0 good packets. ' +
        'If the packet is truly that long, raise the option maxFrame',
    );
    expect(read(bytes, { maxFrame: 7 }).code).toBeUndefined();
  });

  it('reports truncation at the end and keeps the packets before it', () => {
    const bytes = pcapBytes({ packets });
    const cut = read(bytes.subarray(0, bytes.length - 1));
    expect([cut.code, cut.offset, cut.frames.length]).toEqual(['truncated', bytes.length - 23, 2]);
    expect(cut.message).toContain('after 22 of the 23 bytes of a record');
    expect(read(bytes.subarray(0, 20)).code).toBe('truncated');
    expect(read(bytes.subarray(0, 2)).code).toBe('truncated');
    expect(read(new Uint8Array(0)).code).toBe('empty');
  });
});

it.each([
  ['1f8b0800', 'gunzip'],
  ['28b52ffd', 'zstdcat'],
  ['0a0d0a1c', 'binary mode'],
  ['7f454c46', 'pcap and pcapng are read'],
])('says what would help for a file that begins with %s', (magic, help) => {
  const result = read(Buffer.from(`${magic}${'00'.repeat(20)}`, 'hex'));
  expect(result.code).toBe('unknown-format');
  expect(result.message).toContain(help);
});

describe.each([true, false])('pcapng (little-endian: %s)', (littleEndian) => {
  const make = pcapngBlocks(littleEndian);
  const other = pcapngBlocks(!littleEndian);
  const start = [make.section(), make.interface(1)];

  it('reads enhanced, simple and obsolete packets and skips all other blocks', () => {
    const { frames, code } = read(
      concatBytes([
        make.section([1, 2], 400n, make.option(4, encodeUtf8('test'))),
        make.nameResolution(),
        make.interface(1, 5),
        make.enhanced(0, 1_700_000_000_000_001n, hello, 60, 'a comment'),
        make.simple(hello, 7),
        make.statistics(),
        make.journal(),
        make.secrets(),
        make.custom(),
        make.block(0x8000_0001, [[4, 1]]),
        make.block(0x7777, []),
        make.obsolete(0, 1_700_000_000_000_002n, world),
      ]),
    );
    expect(code).toBeUndefined();
    expect(frames).toEqual([
      { text: 'hello', time: 1_700_000_000_000_001_000n, original: 60, link: 1, interface: 0 },
      { text: 'hello', time: 1_700_000_000_000_001_000n, original: 7, link: 1, interface: 0 },
      { text: 'world!!', time: 1_700_000_000_000_002_000n, original: 7, link: 1, interface: 0 },
    ]);
  });

  it('reads sections of both byte orders, each with interfaces of its own', () => {
    const { frames, reader, code } = read(
      concatBytes([
        make.section(),
        make.interface(1, 0, [[2, encodeUtf8('eth0')]]),
        make.interface(101),
        make.enhanced(1, 1n, hello),
        other.section(),
        other.interface(113, 0, [[3, encodeUtf8('cooked\0 and more')]]),
        other.enhanced(0, 2n, world),
      ]),
    );
    expect(code).toBeUndefined();
    expect(frames.map((frame) => [frame.text, frame.link, frame.interface])).toEqual([
      ['hello', 101, 1],
      ['world!!', 113, 2],
    ]);
    expect(reader.byteOrder).toBe('mixed');
    expect(reader.interfaces.map((i) => [i.section, i.linkType, i.name, i.description])).toEqual([
      [0, 1, 'eth0', undefined],
      [0, 101, undefined, undefined],
      [1, 113, undefined, 'cooked'],
    ]);
  });

  const withResolution = (tsresol: number, ticks: bigint, offset?: bigint) =>
    read(
      concatBytes([
        make.section(),
        make.interface(1, 0, [
          [9, Uint8Array.of(tsresol)],
          ...(offset === undefined ? [] : [[14, make.block(0, [[8, offset]]).slice(8, 16)] as const]),
        ]),
        make.enhanced(0, ticks, hello),
      ]),
    );

  it.each([
    [0, 1_700_000_000n, 1_700_000_000_000_000_000n],
    [3, 1_700_000_000_123n, 1_700_000_000_123_000_000n],
    [9, 1_700_000_000_123_456_789n, 1_700_000_000_123_456_789n],
    [9, 0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn],
    [12, 1_700_000_000_123_456n, 1_700_000_000_123n],
    [0x80, 1_700_000_000n, 1_700_000_000_000_000_000n],
    [0x80 | 10, 1_700_000_000n * 1024n + 512n, 1_700_000_000_500_000_000n],
    [0x80 | 32, (1_700_000_000n << 32n) + 0x4000_0000n, 1_700_000_000_250_000_000n],
    [127, 5n, 0n],
    [255, 5n, 0n],
  ])('reads if_tsresol %i', (tsresol, ticks, time) => {
    expect(withResolution(tsresol, ticks).frames.map((frame) => frame.time)).toEqual([time]);
  });

  it('adds if_tsoffset, which may be negative', () => {
    expect(withResolution(6, 5_500_000n, 1000n).frames[0]?.time).toBe(1_005_500_000_000n);
    expect(withResolution(6, 5_500_000n, -10n).frames[0]?.time).toBe(-4_500_000_000n);
    expect(withResolution(6, 0n, -0x8000_0000_0000_0000n).code).toBe('bad-option');
  });

  const broken = (bytes: Uint8Array, at: number, value: number) => {
    const copy = bytes.slice();
    new DataView(copy.buffer).setUint32(at < 0 ? copy.length + at : at, value, littleEndian);
    return copy;
  };

  it.each<[string, string, Uint8Array[]]>([
    ['a length that is not a multiple of 4', 'bad-block-length', [broken(make.enhanced(0, 0n, hello), 4, 41)]],
    ['a length below that of the type', 'bad-block-length', [broken(make.enhanced(0, 0n, hello), 4, 28)]],
    ['a length of zero', 'bad-block-length', [broken(make.journal(), 4, 0)]],
    ['a length of 4 GiB', 'block-too-long', [broken(make.journal(), 4, 0xffff_fffc)]],
    ['two lengths that differ', 'block-length-mismatch', [broken(make.enhanced(0, 0n, hello), -4, 44)]],
    ['more captured bytes than the block has', 'bad-captured-length', [broken(make.enhanced(0, 0n, hello), 20, 9)]],
    ['a simple packet without its bytes', 'bad-captured-length', [make.simple(hello, 9)]],
    ['an interface that is not described', 'unknown-interface', [make.enhanced(1, 0n, hello)]],
    ['a section without the byte-order magic', 'bad-byte-order-magic', [broken(make.section(), 8, 0x1a2b3c4e)]],
    ['a version other than 1.0', 'unsupported-version', [make.section([2, 0])]],
    ['an interface of an earlier section', 'unknown-interface', [make.section(), make.enhanced(0, 0n, hello)]],
    ['a simple packet before any interface', 'unknown-interface', [make.section(), make.simple(hello)]],
    ['if_tsresol of two bytes', 'bad-option', [make.interface(1, 0, [[9, Uint8Array.of(6, 6)]])]],
    [
      'an option that leaves its block',
      'bad-option',
      [
        make.block(1, [
          [8, 1],
          [2, 2],
          [2, 5],
          [4, 0],
        ]),
      ],
    ],
  ])('refuses %s, after the packets before it', (_, code, blocks) => {
    const good = concatBytes([...start, make.enhanced(0, 1n, world)]);
    const result = read(concatBytes([good, ...blocks, make.enhanced(0, 2n, world)]));
    expect(result.code).toBe(code);
    expect(result.frames.map((frame) => frame.text)).toEqual(['world!!']);
    expect(result.offset).toBeGreaterThanOrEqual(good.length);
  });

  it('has bounds on blocks, packets and interfaces', () => {
    const bytes = concatBytes([...start, make.interface(1), make.enhanced(0, 1n, world)]);
    expect(read(bytes, { maxInterfaces: 1 }).message).toContain('Raise the option maxInterfaces');
    expect(read(bytes, { maxBlock: 36 }).message).toContain('raise the option maxBlock');
    expect(read(bytes, { maxFrame: 6 }).message).toContain('raise the option maxFrame');
    expect(read(bytes, { maxInterfaces: 2, maxBlock: 40, maxFrame: 7 }).code).toBeUndefined();
  });

  it('reports a block cut by the end of the capture', () => {
    const bytes = concatBytes([...start, make.enhanced(0, 1n, hello), make.enhanced(0, 2n, world)]);
    const cut = read(bytes.subarray(0, -1));
    expect([cut.code, cut.offset, cut.frames.length]).toEqual(['truncated', bytes.length - 40, 1]);
  });
});

describe('chunks', () => {
  const make = pcapngBlocks(false);
  const long = new Uint8Array(100_000).map((_, i) => i);
  const captures = [
    pcapBytes({ packets: [{ data: hello }, { data: long }, { data: new Uint8Array(0) }, { data: world }] }),
    pcapBytes({ packets: [{ data: hello }, { data: world, captured: 0x7fff_ffff }] }),
    concatBytes([make.section(), make.interface(1), make.enhanced(0, 1n, long), make.custom(), make.simple(world)]),
    concatBytes([make.section(), make.interface(1), make.simple(world), make.enhanced(4, 1n, hello)]),
  ];

  it('give the same packets and the same error wherever they are cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...captures),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 10 }),
        fc.integer({ min: 1, max: 70_000 }),
        fc.nat({ max: 20 }),
        (capture, sizes, last, cut) => {
          const bytes = capture.subarray(0, capture.length - cut);
          const whole = read(bytes);
          const parts = read(bytes, {}, [...sizes, last]);
          expect([parts.frames, parts.message]).toEqual([whole.frames, whole.message]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('may lie in the room where the reader puts what was cut', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.constantFrom(...captures), sizes, fc.nat(200), fc.integer({ min: 1, max: 100 }), (...given) => {
        const [capture, sizes, front, chunk] = given;
        const { reader: _, ...whole } = read(capture);
        expect(read(capture, {}, sizes, { bytes: new Uint8Array(front + chunk), front })).toMatchObject(whole);
      }),
    );
  });

  it('of one byte are read too', () => {
    const bytes = pcapBytes({ packets: [{ data: hello }, { data: world }] });
    expect(read(bytes, {}, [1]).frames.map((frame) => frame.text)).toEqual(['hello', 'world!!']);
  });
});

describe('handlers', () => {
  const bytes = pcapBytes({ packets: [{ data: hello }, { data: world }] });

  it('stop the reading: what follows is neither delivered nor checked', () => {
    const seen: number[] = [];
    const reader = createCaptureReader((frame) => {
      seen.push(frame.index);
      return 'stop';
    });
    reader.push(bytes.subarray(0, bytes.length - 1));
    reader.push(bytes);
    reader.end();
    expect([seen, reader.stopped, reader.packets]).toEqual([[0], true, 1]);
  });

  it('that throw end the reading with their error', () => {
    const reader = createCaptureReader(() => {
      throw new TypeError('mine');
    });
    expect(() => reader.push(bytes)).toThrow('mine');
    expect(() => reader.end()).toThrow('mine');
  });
});

describe('files and streams', () => {
  it('are read as their bytes are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'capture-'));
    try {
      const data = new Uint8Array(1400).map((_, i) => i * 7);
      const packets = Array.from({ length: 2000 }, (_, i) => ({ data: data.subarray(0, i % 1401), seconds: i }));
      const bytes = pcapBytes({ packets });
      const path = join(folder, 'x.pcap');
      writeFileSync(path, bytes);
      const collect = (into: string[]) => (frame: Parameters<Parameters<typeof createCaptureReader>[0]>[0]) => {
        into.push(Buffer.from(frame.bytes.subarray(frame.start, frame.end)).toString('latin1'));
      };
      const expected = texts(bytes);
      expect(bytes.length).toBeGreaterThan(1024 * 1024);

      const fromFile: string[] = [];
      expect(readCaptureFile(path, collect(fromFile)).packets).toBe(2000);
      expect(fromFile).toEqual(expected);

      const fromStream: string[] = [];
      const chunks = Array.from({ length: Math.ceil(bytes.length / 5000) }, (_, i) =>
        bytes.subarray(i * 5000, (i + 1) * 5000),
      );
      expect((await readCaptureStream(Readable.from(chunks), collect(fromStream))).packets).toBe(2000);
      expect(fromStream).toEqual(expected);

      writeFileSync(path, bytes.subarray(0, bytes.length - 1));
      expect(() => readCaptureFile(path, () => {})).toThrow(
        expect.objectContaining({ detail: { code: 'truncated', packet: 1999, offset: expect.any(Number) } }),
      );
      await expect(readCaptureStream(Readable.from([bytes.subarray(0, 30)]), () => {})).rejects.toThrow(CaptureError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
