/** Captures made byte by byte, in either byte order, right or wrong: for tests and as seeds of the capture fuzzers. */
import { alignUp, concatBytes, encodeUtf8 } from '../../src/base/bytes.ts';

export type Field = readonly [size: 1 | 2 | 4 | 8, value: number | bigint] | Uint8Array;

/** Integers of given sizes in one byte order, and bytes as they are. */
function pack(littleEndian: boolean, fields: readonly Field[]): Uint8Array {
  return concatBytes(
    fields.map((field) => {
      if (field instanceof Uint8Array) return field;
      const [size, value] = field;
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)) << BigInt(64 - 8 * size));
      return littleEndian ? bytes.slice(0, size).reverse() : bytes.slice(0, size);
    }),
  );
}

interface SamplePacket {
  readonly data: Uint8Array;
  readonly seconds?: number;
  readonly fraction?: number;
  readonly captured?: number;
  readonly original?: number;
}

export interface PcapSample {
  readonly magic?: number;
  readonly littleEndian?: boolean;
  readonly version?: readonly [number, number];
  readonly linkTypeField?: number;
  readonly packets?: readonly SamplePacket[];
}

export function pcapBytes(sample: PcapSample): Uint8Array {
  const { magic = 0xa1b2c3d4, littleEndian = true, version = [2, 4], linkTypeField = 1, packets = [] } = sample;
  const header: Field[] = [
    [4, magic],
    [2, version[0]],
    [2, version[1]],
    [8, 0],
    [4, 65_535],
    [4, linkTypeField],
  ];
  const records = packets.flatMap(({ data, seconds = 0, fraction = 0, captured, original }): Field[] => [
    [4, seconds],
    [4, fraction],
    [4, captured ?? data.length],
    [4, original ?? data.length],
    data,
  ]);
  return pack(littleEndian, [...header, ...records]);
}

/** Makes the blocks of one pcapng section in one byte order; joining the blocks of several makes a capture. */
export function pcapngBlocks(littleEndian: boolean) {
  const padded = (bytes: Uint8Array): Field[] => [bytes, new Uint8Array(alignUp(bytes.length, 4) - bytes.length)];
  const block = (type: number, body: readonly Field[]): Uint8Array => {
    const bytes = pack(littleEndian, body);
    const length = bytes.length + 12;
    return pack(littleEndian, [[4, type], [4, length], bytes, [4, length]]);
  };
  const option = (code: number, value: Uint8Array): Field[] => [[2, code], [2, value.length], ...padded(value)];
  const end: Field[] = [[4, 0]];
  return {
    block,
    option,
    section: (version: readonly [number, number] = [1, 0], length = -1n, options: Field[] = []) =>
      block(0x0a0d0d0a, [[4, 0x1a2b3c4d], [2, version[0]], [2, version[1]], [8, length], ...options]),
    interface: (linkType: number, snapLength = 0, options: readonly (readonly [number, Uint8Array])[] = []) =>
      block(1, [
        [2, linkType],
        [2, 0],
        [4, snapLength],
        ...options.flatMap(([code, value]) => option(code, value)),
        ...(options.length === 0 ? [] : end),
      ]),
    enhanced: (interfaceId: number, ticks: bigint, data: Uint8Array, original = data.length, comment?: string) =>
      block(6, [
        [4, interfaceId],
        [4, ticks >> 32n],
        [4, ticks & 0xffff_ffffn],
        [4, data.length],
        [4, original],
        ...padded(data),
        ...(comment === undefined ? [] : [...option(1, encodeUtf8(comment)), ...end]),
      ]),
    obsolete: (interfaceId: number, ticks: bigint, data: Uint8Array, original = data.length) =>
      block(2, [
        [2, interfaceId],
        [2, 0xffff],
        [4, ticks >> 32n],
        [4, ticks & 0xffff_ffffn],
        [4, data.length],
        [4, original],
        ...padded(data),
      ]),
    simple: (data: Uint8Array, original = data.length) => block(3, [[4, original], ...padded(data)]),
    nameResolution: () =>
      block(4, [[2, 1], [2, 14], Uint8Array.of(127, 0, 0, 1), ...padded(encodeUtf8('localhost\0')), ...end]),
    statistics: () => block(5, [[4, 0], [8, 0], ...option(4, new Uint8Array(8)), ...end]),
    journal: () => block(9, padded(encodeUtf8('MESSAGE=hello\n\n'))),
    secrets: () => block(10, [[4, 0x544c534b], [4, 3], ...padded(encodeUtf8('abc'))]),
    custom: () => block(0xbad, [[4, 32_473], ...padded(encodeUtf8('custom'))]),
  };
}
