import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Instance, type InstanceOptions, type MapInit, type ObjectSpec, readObject } from '../src/index.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** A program, what its maps hold, and a packet that sends it down its usual way. */
export interface Subject {
  readonly name: string;
  readonly object: string;
  readonly program: string;
  readonly frame: Uint8Array;
  readonly mapInit?: MapInit;
  /** Maps that are made larger than the object says. */
  readonly entries?: Readonly<Record<string, number>>;
  /** Packets to send before the clock runs, so that the maps are as full as they get. */
  readonly before?: number;
  /** The highest ratio to Linux's JIT that one run may cost. */
  readonly bar?: number;
}

const words = (value: number, size: 2 | 4, little = false) => {
  const bytes = Buffer.alloc(size);
  if (size === 2) bytes.writeUInt16BE(value);
  else bytes.writeUInt32BE(value);
  return (little ? bytes.reverse() : bytes).toString('hex');
};

/** 64 bytes of IPv4 and UDP or TCP. */
export function packet(source: string, destination: string, protocol: number, port: number): Uint8Array {
  const ip = (text: string) => text.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const header = ['45000032', '00010000', '40', words(protocol, 2).slice(2), '0000', ...ip(source), ...ip(destination)];
  const text = ['020000000001', '020000000002', '0800', ...header, words(12345, 2), words(port, 2), '001e0000'].join(
    '',
  );
  return Uint8Array.fromHex(text.padEnd(128, '0'));
}

const TCP = 6;
const UDP = 17;
const toPort = packet('192.0.2.1', '198.51.100.1', UDP, 7777);

/** A thousand blocked networks of 16 to 32 bits: 10.x.y.z. */
function blockedNetworks(): MapInit {
  const blocked = Array.from({ length: 1000 }, (_, index) => ({
    key: words(16 + (index % 17), 4, true) + words(0x0a00_0000 + index * 0x4321, 4),
    value: words(1, 4, true),
  }));
  const unique = new Map(blocked.map((entry) => [entry.key, entry]));
  return { blocked_v4: [...unique.values()] };
}

const SPREAD_KEYS = 1 << 22;

export const SUBJECTS: readonly Subject[] = [
  { name: 'empty', object: at('programs/light.bpf.o'), program: 'empty', frame: toPort },
  { name: 'light', object: at('programs/light.bpf.o'), program: 'light', frame: toPort, bar: 0.5 },
  { name: 'map-heavy', object: at('programs/counters.bpf.o'), program: 'counters', frame: toPort, bar: 0.5 },
  {
    name: 'map-heavy, 4 Mi sources',
    object: at('programs/counters.bpf.o'),
    program: 'counters_spread',
    frame: toPort,
    entries: { sources: SPREAD_KEYS },
    before: SPREAD_KEYS,
    bar: 0.5,
  },
  { name: 'compute', object: at('programs/compute.bpf.o'), program: 'compute', frame: toPort, bar: 1 },
  {
    name: 'xdpfilt_alw_all',
    object: '/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o',
    program: 'xdpfilt_alw_all',
    frame: toPort,
    bar: 0.6,
  },
  {
    name: 'LPM blocklist',
    object: at('../programs/blocklist.bpf.o'),
    program: 'blocklist',
    frame: packet('10.9.8.7', '198.51.100.1', TCP, 443),
    mapInit: blockedNetworks(),
  },
  {
    name: 'L4 balancer',
    object: at('programs/balancer.bpf.o'),
    program: 'balancer',
    frame: packet('192.0.2.1', '10.0.0.2', TCP, 80),
    mapInit: JSON.parse(readFileSync(at('../programs/lb.maps.json'), 'utf8')),
  },
];

export const subjectNamed = (name: string) => SUBJECTS.find((subject) => subject.name === name)!;

/** False for Debian's, where xdp-tools is not installed. */
export const isHere = ({ object }: Subject) => existsSync(object);

export function objectOf({ object, entries = {} }: Pick<Subject, 'object' | 'entries'>): ObjectSpec {
  const spec = readObject(readFileSync(object));
  const maps = spec.maps.map((map) => ({ ...map, maxEntries: entries[map.name] ?? map.maxEntries }));
  return { ...spec, maps };
}

export function instanceOf(subject: Subject, options: InstanceOptions): Instance {
  const { program, mapInit = {} } = subject;
  return new Instance(objectOf(subject), { program, mapInit, ...options });
}

export const input = (frame: Uint8Array) => ({
  bytes: frame,
  start: 0,
  end: frame.length,
  originalLength: frame.length,
  seconds: 0,
  nanoseconds: 0,
});
