/**
 * Mutates small captures and reads them: whatever the bytes, reading ends in frames that keep their promises and at most
 * a `CaptureError`, and where the chunks are cut changes neither. Even mutations are of pcap, odd ones of pcapng.
 *
 *   node tools/fuzz/capture.ts --seed 1 --count 2000000
 */
import { concatBytes, encodeUtf8 } from '../../src/base/bytes.ts';
import { CaptureError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { DEFAULT_BOUNDS } from '../../src/capture/frame.ts';
import { createCaptureReader } from '../../src/capture/reader.ts';
import { SummaryBuilder } from '../../src/capture/summary.ts';
import { pcapBytes, pcapngBlocks } from './capture-samples.ts';
import { fuzzFromCommandLine } from './run.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const IPV4 = '4500001c 00000000 40110000 7f000001 7f000001 04d2 0035 0008 0000';
const FRAMES = {
  ethernet: hex(`0200000000010200000000020800 ${IPV4}`),
  vlan: hex(`020000000001020000000002 8100 0064 86dd 60000000 0008 2c40 ${'00'.repeat(32)} 3b00000000000000`),
  cooked: hex(`0000 0001 0006 020000000001 0000 0800 ${IPV4}`),
  cooked2: hex(`0800 0000 00000002 0001 00 06 020000000001 0000 ${IPV4}`),
  loopback: hex(`02000000 ${IPV4}`),
  raw: hex(IPV4),
  empty: new Uint8Array(0),
};

const PCAP_SEEDS = [true, false].flatMap((littleEndian) =>
  (
    [
      [1, 'ethernet', 'vlan'],
      [113, 'cooked', 'cooked'],
      [276, 'cooked2', 'empty'],
      [0, 'loopback', 'loopback'],
      [101, 'raw', 'raw'],
    ] as const
  ).map(([linkTypeField, one, two]) =>
    pcapBytes({
      littleEndian,
      linkTypeField,
      magic: linkTypeField === 1 ? 0xa1b23c4d : 0xa1b2c3d4,
      packets: [one, two, 'empty' as const, one].map((name, i) => ({
        data: FRAMES[name],
        seconds: 1_700_000_000 + i,
        fraction: i,
      })),
    }),
  ),
);

const PCAPNG_SEEDS = [true, false].flatMap((littleEndian) => {
  const make = pcapngBlocks(littleEndian);
  const other = pcapngBlocks(!littleEndian);
  const now = 1_700_000_000_000_000n;
  return [
    [
      make.section(),
      make.interface(1),
      make.enhanced(0, now, FRAMES.ethernet),
      make.enhanced(0, now + 1n, FRAMES.vlan, 99, 'why'),
    ],
    [
      make.section([1, 0], 64n, make.option(4, encodeUtf8('fuzzer'))),
      make.interface(113, 64, [
        [2, encodeUtf8('any')],
        [9, Uint8Array.of(9)],
        [14, new Uint8Array(8)],
      ]),
      make.interface(276, 0, [
        [9, Uint8Array.of(0x8a)],
        [13, Uint8Array.of(4)],
      ]),
      make.simple(FRAMES.cooked),
      make.enhanced(1, now, FRAMES.cooked2),
      make.obsolete(0, now, FRAMES.cooked),
      make.statistics(),
    ],
    [
      make.section(),
      make.nameResolution(),
      make.interface(101),
      make.journal(),
      make.custom(),
      make.secrets(),
      make.enhanced(0, now, FRAMES.raw),
    ],
    [
      make.section(),
      make.interface(0),
      make.simple(FRAMES.loopback),
      other.section(),
      other.interface(1),
      other.enhanced(0, now, FRAMES.ethernet),
    ],
  ].map(concatBytes);
});

/** What lengths, numbers and types turn into. */
const EXTREMES = [
  0,
  1,
  2,
  3,
  4,
  5,
  6,
  7,
  8,
  9,
  10,
  11,
  12,
  16,
  20,
  24,
  28,
  32,
  36,
  64,
  0x7f,
  0x80,
  0xff,
  0x100,
  0xffff,
  0x1_0000,
  DEFAULT_BOUNDS.maxFrame,
  DEFAULT_BOUNDS.maxFrame + 1,
  DEFAULT_BOUNDS.maxBlock,
  DEFAULT_BOUNDS.maxBlock + 4,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_fff0,
  0xffff_fffc,
  0xffff_ffff,
  0x0a0d0d0a,
  0x1a2b3c4d,
  0xa1b2c3d4,
  0xa1b23c4d,
  0xa1b2cd34,
  0xbad,
  0x4000_0bad,
];

type Mutation = (bytes: Uint8Array, random: Random, seeds: readonly Uint8Array[]) => Uint8Array;

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!;
/** A word of the capture; more often than not one on a 4-byte boundary, where headers have their fields. */
const place = (bytes: Uint8Array, random: Random, size: number) => {
  const at = random.below(Math.max(1, bytes.length - size + 1));
  return random.below(4) === 0 ? at : at & ~3;
};
const word = (bytes: Uint8Array, random: Random, change: (old: number) => number): Uint8Array => {
  if (bytes.length < 4) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const at = place(bytes, random, 4);
  const littleEndian = random.below(2) === 0;
  view.setUint32(at, change(view.getUint32(at, littleEndian)), littleEndian);
  return bytes;
};

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
    return bytes;
  },
  function setByte(bytes, random) {
    if (bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    return bytes;
  },
  (bytes, random) => word(bytes, random, () => pick(random, EXTREMES)),
  (bytes, random) => word(bytes, random, (old) => old + pick(random, [-8, -4, -1, 1, 4, 8])),
  function truncate(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length + 1));
  },
  function remove(bytes, random) {
    const at = place(bytes, random, 1);
    return concatBytes([bytes.subarray(0, at), bytes.subarray(at + random.below(48))]);
  },
  function splice(bytes, random, seeds) {
    const other = pick(random, seeds);
    const from = place(other, random, 1);
    return concatBytes([bytes.subarray(0, place(bytes, random, 1)), other.subarray(from)]);
  },
  function repeat(bytes, random) {
    const from = place(bytes, random, 1);
    return concatBytes([bytes.subarray(0, from + random.below(64)), bytes.subarray(from)]);
  },
];

function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes: Uint8Array = pick(random, seeds).slice();
  for (let left = 1 + random.below(4); left > 0; left--) bytes = pick(random, MUTATIONS)(bytes, random, seeds);
  return bytes;
}

/** A small capture of either format, more or less damaged. */
export function mutatedCapture(random: Random): Uint8Array {
  return mutate(random.below(2) === 0 ? PCAP_SEEDS : PCAPNG_SEEDS, random);
}

interface Outcome {
  /** A number that depends on every byte and field of every frame. */
  readonly frames: number;
  readonly packets: number;
  readonly summary: string;
}

function read(bytes: Uint8Array, nextChunk: () => number): Outcome {
  let hash = 0;
  const mix = (value: number) => {
    hash = Math.imul(hash ^ value, 0x0100_0193) >>> 0;
  };
  const summary = new SummaryBuilder();
  const reader = createCaptureReader((frame) => {
    const { start, end, originalLength, seconds, nanoseconds, interfaceId } = frame;
    const captured = end - start;
    const holds =
      start >= 0 &&
      captured >= 0 &&
      end <= frame.bytes.length &&
      captured <= Math.min(DEFAULT_BOUNDS.maxFrame, bytes.length) &&
      originalLength >= captured &&
      Number.isInteger(seconds) &&
      Number.isInteger(nanoseconds) &&
      nanoseconds >= 0 &&
      nanoseconds < 1e9 &&
      reader.interfaces[interfaceId]?.linkType === frame.linkType;
    if (!holds)
      throw new Error(`frame ${frame.index} breaks its promises: ${JSON.stringify({ ...frame, bytes: null })}`);
    for (const value of [frame.index, captured, originalLength, seconds, nanoseconds, interfaceId]) mix(value);
    for (let at = start; at < end; at++) mix(frame.bytes[at]!);
    summary.add(frame);
  });
  try {
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.slice(at, at + nextChunk());
      reader.push(chunk);
      chunk.fill(0xee); // what is not the reader's own must not matter any more
      at += chunk.length;
    }
    reader.end();
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    if (error.detail.offset > bytes.length || error.detail.packet !== reader.packets) {
      throw new Error(`the error points elsewhere: ${error.message}`, { cause: error });
    }
    return { frames: hash, packets: reader.packets, summary: JSON.stringify(summary.finish(reader, error)) };
  }
  return { frames: hash, packets: reader.packets, summary: JSON.stringify(summary.finish(reader)) };
}

/** Returns the outcome so that a test can see whether mutations reach deep enough. */
export function fuzzCapture(random: Random, index: number): Outcome {
  const bytes = mutate(index % 2 === 0 ? PCAP_SEEDS : PCAPNG_SEEDS, random);
  const whole = read(bytes, () => bytes.length);
  const largest = pick(random, [1, 4, 16, 100]);
  const parts = read(bytes, () => 1 + random.below(largest));
  if (whole.frames !== parts.frames || whole.summary !== parts.summary) {
    throw new Error(
      `chunks change the outcome:\n${whole.summary}\n${parts.summary}\n${Buffer.from(bytes).toString('hex')}`,
    );
  }
  return whole;
}

if (import.meta.main) fuzzFromCommandLine('capture', fuzzCapture);
