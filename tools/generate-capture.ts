/**
 * Makes captures of any size for benchmarks and tests: Ethernet with IPv4, IPv6, TCP, UDP, ICMP and VLAN tags, correct
 * lengths and checksums, many flows in both directions, rising timestamps. The same options give the same bytes.
 *
 *   node tools/generate-capture.ts --packets 1000000 --size 64 --seed 1 -o FILE
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Random, seededRandom } from '../src/base/random.ts';
import { emptyFrame, type Frame } from '../src/capture/frame.ts';
import { createPcapWriter } from '../src/capture/pcap-writer.ts';
import { createPcapngWriter } from '../src/capture/pcapng-writer.ts';

export interface GeneratorOptions {
  readonly packets: number;
  /** Bytes of every frame, without frame check sequence; `imix` for 7 of 60, 4 of 566 and 1 of 1514 in twelve. */
  readonly size: number | 'imix';
  readonly seed: number;
  readonly flows: number;
  readonly profile: Profile;
}

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;

interface Kind {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly vlan: boolean;
  /** Of so many flows in the profile. */
  readonly weight: number;
}

const kind = (weight: number, version: 4 | 6, protocol: number, vlan = false): Kind => ({
  weight,
  version,
  protocol,
  vlan,
});

const PROFILES = {
  mixed: [
    kind(36, 4, TCP),
    kind(20, 4, UDP),
    kind(4, 4, ICMP),
    kind(6, 4, TCP, true),
    kind(4, 4, UDP, true),
    kind(16, 6, TCP),
    kind(8, 6, UDP),
    kind(3, 6, ICMPV6),
    kind(3, 6, UDP, true),
  ],
  tcp: [kind(1, 4, TCP)],
  udp: [kind(1, 4, UDP)],
} as const satisfies Record<string, readonly Kind[]>;
type Profile = keyof typeof PROFILES;

const IMIX = [60, 60, 60, 60, 60, 60, 60, 566, 566, 566, 566, 1514];
const SMALLEST_FRAME = 60;
const LARGEST_FRAME = 16_384;
/** 2023-11-14 22:13:20 UTC. */
const START_SECONDS = 1_700_000_000;
const MEAN_GAP_NANOSECONDS = 1000;

const TRANSPORT_HEADER: Readonly<Record<number, number>> = { [TCP]: 20, [UDP]: 8, [ICMP]: 8, [ICMPV6]: 8 };
const headerLength = ({ version, protocol, vlan }: Kind) =>
  14 + (vlan ? 4 : 0) + (version === 4 ? 20 : 40) + TRANSPORT_HEADER[protocol]!;

const SERVER_PORTS = [80, 443, 22, 25, 993, 3306, 5432, 8080];

/** One direction of a flow: its frame of the largest size, of which every packet is a beginning with new numbers. */
interface Direction {
  readonly template: Uint8Array;
  readonly network: number;
  readonly transport: number;
  readonly kind: Kind;
  sequence: number;
  packets: number;
}

function draw<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function put32(bytes: Uint8Array, at: number, value: number): void {
  put16(bytes, at, value >>> 16);
  put16(bytes, at + 2, value);
}

/** Sum of 16-bit words, folded and inverted (RFC 1071). */
function checksum(bytes: Uint8Array, start: number, end: number, sum: number): number {
  for (let at = start; at + 1 < end; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  if (((end - start) & 1) === 1) sum += bytes[end - 1]! << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return ~sum & 0xffff;
}

function pickKind(random: Random, kinds: readonly Kind[]): Kind {
  let at = random.below(kinds.reduce((sum, { weight }) => sum + weight, 0));
  return kinds.find(({ weight }) => (at -= weight) < 0)!;
}

/** Both directions of a new flow: client 10.0.0.0/8 or 2001:db8:c::/48, server 198.51.100.0/24 or 2001:db8:5::/48. */
function makeFlow(random: Random, kinds: readonly Kind[], largest: number): [Direction, Direction] {
  const flow = pickKind(random, kinds);
  const address = (server: boolean): number[] => {
    const low = [random.below(256), random.below(256), 1 + random.below(254)] as const;
    if (flow.version === 4) return server ? [198, 51, 100, low[2]] : [10, ...low];
    return [0x20, 0x01, 0x0d, 0xb8, 0, server ? 5 : 0xc, 0, 0, 0, 0, 0, 0, 0, ...low];
  };
  const mac = () => [0x02, 0, ...Array.from({ length: 4 }, () => random.below(256))];
  const ends = [
    { mac: mac(), address: address(false), port: 32_768 + random.below(28_232) },
    {
      mac: mac(),
      address: address(true),
      port: flow.protocol === TCP ? draw(random, SERVER_PORTS) : 40_000 + random.below(1000),
    },
  ] as const;
  const vlan = 1 + random.below(4094);
  const identifier = random.below(0x1_0000);
  const network = flow.vlan ? 18 : 14;
  const transport = network + (flow.version === 4 ? 20 : 40);

  const direction = (from: (typeof ends)[number], to: (typeof ends)[number], reply: boolean): Direction => {
    const template = new Uint8Array(largest);
    for (let at = headerLength(flow); at < largest; at += 4) put32(template, at, random.u32());
    template.set([...to.mac, ...from.mac]);
    if (flow.vlan) template.set([0x81, 0x00, vlan >>> 8, vlan & 0xff], 12);
    put16(template, network - 2, flow.version === 4 ? 0x0800 : 0x86dd);
    if (flow.version === 4) {
      template.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, flow.protocol, 0, 0, ...from.address, ...to.address], network);
    } else {
      template.set([0x60, 0, 0, 0, 0, 0, flow.protocol, 64, ...from.address, ...to.address], network);
    }
    if (flow.protocol === TCP || flow.protocol === UDP) {
      put16(template, transport, from.port);
      put16(template, transport + 2, to.port);
    } else {
      template[transport] = flow.protocol === ICMP ? (reply ? 0 : 8) : reply ? 129 : 128;
      put16(template, transport + 4, identifier);
    }
    return { template, network, transport, kind: flow, sequence: random.u32(), packets: 0 };
  };
  return [direction(ends[0], ends[1], false), direction(ends[1], ends[0], true)];
}

/** Writes what differs from packet to packet into the template: lengths, numbers, checksums. */
function nextPacket(direction: Direction, back: Direction, size: number): Uint8Array {
  const { template, network, transport, kind: flow } = direction;
  const length = size - transport;
  const count = direction.packets++;
  if (flow.version === 4) {
    put16(template, network + 2, size - network);
    put16(template, network + 4, count);
    put16(template, network + 10, 0);
    put16(template, network + 10, checksum(template, network, transport, 0));
  } else {
    put16(template, network + 4, length);
  }
  let checksumAt = transport + 2;
  if (flow.protocol === TCP) {
    checksumAt = transport + 16;
    put32(template, transport + 4, direction.sequence);
    put32(template, transport + 8, back.sequence);
    // The first packet opens the connection, the others carry data.
    const opening = count === 0;
    put16(template, transport + 12, 0x5000 | (opening ? (back.packets === 0 ? 0x02 : 0x12) : 0x18));
    put16(template, transport + 14, 64_240);
    direction.sequence = (direction.sequence + (opening ? 1 : length - 20)) >>> 0;
  } else if (flow.protocol === UDP) {
    checksumAt = transport + 6;
    put16(template, transport + 4, length);
  } else {
    put16(template, transport + 6, count);
  }
  put16(template, checksumAt, 0);
  // Pseudo-header: both addresses, the protocol and the length; ICMP over IPv4 has none.
  let sum = 0;
  if (flow.protocol !== ICMP) {
    sum = flow.protocol + length;
    for (let at = flow.version === 4 ? network + 12 : network + 8; at < transport; at += 2) {
      sum += (template[at]! << 8) | template[at + 1]!;
    }
  }
  const value = checksum(template, transport, size, sum);
  put16(template, checksumAt, flow.protocol === UDP && value === 0 ? 0xffff : value);
  return template;
}

/** Hands each packet to `onFrame`; the frame is the same object every time. */
export function generateFrames(options: GeneratorOptions, onFrame: (frame: Frame) => void): void {
  const { packets, size, seed, profile } = options;
  const sizes = size === 'imix' ? IMIX : [size];
  if (sizes.some((bytes) => !(bytes >= SMALLEST_FRAME && bytes <= LARGEST_FRAME))) {
    throw new RangeError(`a frame has ${SMALLEST_FRAME} to ${LARGEST_FRAME} bytes, not ${size}`);
  }
  const random = seededRandom(seed);
  const kinds = PROFILES[profile].filter((candidate) => headerLength(candidate) <= Math.min(...sizes));
  const flows = Array.from({ length: options.flows }, () => makeFlow(random, kinds, Math.max(...sizes)));
  const frame: Frame = { ...emptyFrame(), linkType: 1, seconds: START_SECONDS };
  for (let index = 0; index < packets; index++) {
    // The square makes a few flows heavy and most light, as traffic is.
    const chance = random.u32() / 0x1_0000_0000;
    const flow = flows[Math.floor(chance * chance * flows.length)]!;
    const way = random.u32() & 1;
    const bytes = sizes.length === 1 ? sizes[0]! : draw(random, sizes);
    frame.index = index;
    frame.bytes = nextPacket(flow[way]!, flow[1 - way]!, bytes);
    frame.end = bytes;
    frame.originalLength = bytes;
    onFrame(frame);
    frame.nanoseconds += 1 + random.below(2 * MEAN_GAP_NANOSECONDS);
    if (frame.nanoseconds >= 1e9) {
      frame.nanoseconds -= 1e9;
      frame.seconds++;
    }
  }
}

/** The whole capture, piece by piece; a piece belongs to the sink. */
export function generateCapture(
  options: GeneratorOptions & { readonly format: 'pcap' | 'pcapng' },
  sink: (bytes: Uint8Array) => void,
): void {
  const writer = options.format === 'pcap' ? createPcapWriter(sink) : createPcapngWriter(sink);
  if ('addInterface' in writer) writer.addInterface({ name: 'generated' });
  generateFrames(options, (frame) => writer.write(frame));
  writer.end();
}

const USAGE = `usage: node tools/generate-capture.ts [--packets N] [--size BYTES|imix] [--seed N] [--flows N]
         [--profile ${Object.keys(PROFILES).join('|')}] [--format pcap|pcapng] -o FILE|-`;

function main(): void {
  const { values } = parseArgs({
    options: {
      packets: { type: 'string', default: '1000000' },
      size: { type: 'string', default: '64' },
      seed: { type: 'string', default: '1' },
      flows: { type: 'string', default: '1000' },
      profile: { type: 'string', default: 'mixed' },
      format: { type: 'string', default: 'pcap' },
      output: { type: 'string', short: 'o' },
    },
  });
  const number = (option: 'packets' | 'size' | 'seed' | 'flows', least = 0) => {
    const value = Number(values[option]);
    if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`--${option} ${values[option]}\n${USAGE}`);
    return value;
  };
  const oneOf = <T extends string>(option: 'profile' | 'format', choices: readonly T[]): T => {
    const found = choices.find((choice) => choice === values[option]);
    if (found === undefined) throw new RangeError(`--${option} ${values[option]}\n${USAGE}`);
    return found;
  };
  if (values.output === undefined) throw new RangeError(`-o is missing\n${USAGE}`);
  const options = {
    packets: number('packets'),
    size: values.size === 'imix' ? ('imix' as const) : number('size'),
    seed: number('seed'),
    flows: number('flows', 1),
    profile: oneOf('profile', Object.keys(PROFILES) as Profile[]),
    format: oneOf('format', ['pcap', 'pcapng']),
  };
  const file = values.output === '-' ? 1 : openSync(values.output, 'w');
  generateCapture(options, (bytes) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  });
  if (file !== 1) closeSync(file);
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 2;
  }
}
