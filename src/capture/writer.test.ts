import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { concatBytes, encodeUtf8 } from '../base/bytes.ts';
import { emptyFrame, frameTime } from './frame.ts';
import { createPcapWriter } from './pcap-writer.ts';
import { createPcapngWriter, VERDICT_TYPE } from './pcapng-writer.ts';
import { createCaptureReader } from './reader.ts';

const packetArbitrary = fc.record({
  data: fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ minLength: 200, maxLength: 3000 })),
  cutOff: fc.nat({ max: 100 }),
  seconds: fc.nat({ max: 0xffff_ffff }),
  nanoseconds: fc.nat({ max: 999_999_999 }),
});
interface Packet {
  readonly data: Uint8Array;
  readonly cutOff: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

const frameOf = ({ data, cutOff, seconds, nanoseconds }: Packet) => ({
  ...emptyFrame(),
  bytes: concatBytes([Uint8Array.of(1, 2, 3), data]),
  start: 3,
  end: 3 + data.length,
  originalLength: data.length + cutOff,
  seconds,
  nanoseconds,
});

function readBack(pieces: readonly Uint8Array[]): Packet[] {
  const packets: Packet[] = [];
  const reader = createCaptureReader(({ bytes, start, end, originalLength, seconds, nanoseconds }) => {
    packets.push({ data: bytes.slice(start, end), cutOff: originalLength - (end - start), seconds, nanoseconds });
  });
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return packets;
}

it('what the pcap writer writes reads back', () => {
  fc.assert(
    fc.property(
      fc.array(packetArbitrary),
      fc.boolean(),
      fc.constantFrom('us' as const, 'ns' as const),
      (packets, littleEndian, resolution) => {
        const pieces: Uint8Array[] = [];
        const writer = createPcapWriter((piece) => pieces.push(piece), { littleEndian, resolution });
        for (const packet of packets) writer.write(frameOf(packet));
        writer.end();
        const unit = resolution === 'ns' ? 1 : 1000;
        expect(readBack(pieces)).toEqual(
          packets.map((p) => ({ ...p, nanoseconds: p.nanoseconds - (p.nanoseconds % unit) })),
        );
      },
    ),
  );
});

it('what the pcapng writer writes reads back, with and without verdict and comment', () => {
  fc.assert(
    fc.property(fc.array(packetArbitrary), fc.nat({ max: 3 }), fc.string(), (packets, options, comment) => {
      const pieces: Uint8Array[] = [];
      const writer = createPcapngWriter((piece) => pieces.push(piece));
      writer.addInterface({ name: 'in' });
      for (const packet of packets) {
        const verdict = options & 1 ? { type: VERDICT_TYPE.LINUX_EBPF_XDP, value: 2 } : undefined;
        writer.write(frameOf(packet), verdict, options & 2 ? comment : undefined);
      }
      writer.end();
      expect(readBack(pieces)).toEqual(packets);
    }),
  );
});

it('pieces are large, end with a whole record and stay as they are', () => {
  const pieces: Uint8Array[] = [];
  const writer = createPcapWriter((piece) => pieces.push(piece));
  const packet = { data: new Uint8Array(1000).fill(7), cutOff: 0, seconds: 1, nanoseconds: 2 };
  for (let i = 0; i < 3000; i++) writer.write(frameOf(packet));
  writer.write(frameOf({ ...packet, data: new Uint8Array(2 * 1024 * 1024) }));
  writer.end();
  expect(pieces.length).toBeLessThan(6);
  const lengths = pieces.map((piece, i) => piece.length - (i === 0 ? 24 : 0));
  expect(lengths.slice(0, -1).every((length) => length % 1016 === 0)).toBe(true);
  expect(lengths.at(-1)).toBe(2 * 1024 * 1024 + 16);
  expect(readBack(pieces.slice(0, -1))).toHaveLength(3000);
});

it('a comment too long for its option is cut between characters', () => {
  const pieces: Uint8Array[] = [];
  const writer = createPcapngWriter((piece) => pieces.push(piece));
  writer.addInterface();
  writer.write(
    frameOf({ data: encodeUtf8('x'), cutOff: 0, seconds: 1, nanoseconds: 2 }),
    undefined,
    'é'.repeat(40_000),
  );
  writer.end();
  const text = Buffer.from(concatBytes(pieces)).toString('utf8');
  expect(text).toContain('é'.repeat(32_767));
  expect(text).not.toContain('é'.repeat(32_768));
  expect(readBack(pieces)).toHaveLength(1);
});

const tshark = spawnSync('tshark', ['--version']).status === 0;

it.skipIf(!tshark)(
  `tshark shows time, verdict and comment${tshark ? '' : ' (skipped: tshark is not installed)'}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'pcapng-'));
    try {
      const pieces: Uint8Array[] = [];
      const writer = createPcapngWriter((piece) => pieces.push(piece));
      const ethernet = writer.addInterface({ name: 'eth0' });
      const raw = writer.addInterface({ name: 'out', linkType: 101 });
      const frame = frameOf({ data: new Uint8Array(61), cutOff: 3, seconds: 1_700_000_000, nanoseconds: 123_456_789 });
      writer.write(
        { ...frame, interfaceId: ethernet },
        { type: VERDICT_TYPE.LINUX_EBPF_XDP, value: 3 },
        'XDP_TX: naïve',
      );
      writer.write({ ...frame, interfaceId: raw }, { type: VERDICT_TYPE.LINUX_EBPF_TC, value: -1 }, 'TC_ACT_UNSPEC');
      writer.write({ ...frame, interfaceId: ethernet });
      writer.end();
      const path = join(folder, 'x.pcapng');
      writeFileSync(path, concatBytes(pieces));
      const fields = [
        'frame.time_epoch',
        'frame.interface_name',
        'frame.cap_len',
        'frame.len',
        'frame.verdict.ebpf_xdp',
        'frame.verdict.ebpf_tc',
        'frame.comment',
      ];
      const { stdout } = spawnSync('tshark', ['-r', path, '-T', 'fields', ...fields.flatMap((f) => ['-e', f])], {
        encoding: 'utf8',
      });
      const time = `${frameTime(frame)}`.replace(/(\d{9})$/, '.$1');
      expect(
        stdout
          .trimEnd()
          .split('\n')
          .map((line) => line.split('\t').concat(Array(7).fill('')).slice(0, 7)),
      ).toEqual([
        [time, 'eth0', '61', '64', '3', '', 'XDP_TX: naïve'],
        [time, 'out', '61', '64', '', '-1', 'TC_ACT_UNSPEC'],
        [time, 'eth0', '61', '64', '', '', ''],
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
