/**
 * What is asked of both sides, the kernel and the replay: which objects with which initial maps, and which frames.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { helperName } from '../../src/abi/helper-names.ts';
import { fnv1a64 } from '../../src/base/fnv.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { Frame } from '../../src/capture/frame.ts';
import { createLinkLayer } from '../../src/capture/link-layer.ts';
import { readCaptureFile } from '../../src/capture/reader.ts';
import type { MapInit } from '../../src/engine/map-init.ts';
import { parseElf, SHF_EXECINSTR } from '../../src/object/elf.ts';
import { loadDefaults, loadObject } from '../../src/object/object.ts';
import type { Subject } from './answers.ts';

const ETHERNET_HEADER = 14;

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAMS = join(ROOT, 'programs');
const PCAPS = join(ROOT, 'pcaps');
/** Where Debian's package xdp-tools (and libxdp1) has its objects. */
export const XDP_TOOLS = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/bpf`;

export interface Capture {
  readonly name: string;
  /** Ethernet frames: what a capture of another link type is replayed as. */
  readonly frames: readonly Frame[];
  /** Over all the frames, so that an answer given to other frames is known. */
  readonly digest: string;
}

let captures: readonly Capture[] | undefined;

/** Every capture of `pcaps/`, read with the project's own reader. */
export function allCaptures(): readonly Capture[] {
  return (captures ??= readdirSync(PCAPS)
    .filter((file) => /\.pcap(ng)?$/.test(file))
    .sort()
    .map(readCapture));
}

function readCapture(name: string): Capture {
  const links = createLinkLayer();
  const frames: Frame[] = [];
  readCaptureFile(capturePath(name), (frame) => {
    const ethernet = links.toEthernet(frame);
    if (ethernet === undefined) return;
    const bytes = ethernet.bytes.slice(ethernet.start, ethernet.end);
    frames.push({ ...ethernet, bytes, start: 0, end: bytes.length });
  });
  const digests = frames.map(({ bytes }) => fnv1a64(bytes));
  return { name, frames, digest: fnv1a64(Buffer.from(digests.join())) };
}

/** All captures one after the other: what is left in the maps by one meets the packets of the next. */
export function inOneRow(list: readonly Capture[]): readonly Frame[] {
  return list.flatMap(({ frames }) => frames);
}

/** What headers have in the places that programs branch on: versions, lengths, protocols, flags. */
const TELLING = [0x00, 0x01, 0x04, 0x05, 0x06, 0x11, 0x29, 0x2f, 0x45, 0x46, 0x60, 0x80, 0xff];
const HEADERS = 90;

/** Each frame cut short, made longer, or with other bytes in its headers: what no capture holds but a wire may carry. */
export function mutated(frames: readonly Frame[], seed: number): readonly Frame[] {
  const { below } = seededRandom(seed);
  return frames.map((frame) => {
    const { length } = frame.bytes;
    const size = [ETHERNET_HEADER + below(Math.min(length - ETHERNET_HEADER, 120) + 1), length + below(60), length][
      below(3)
    ]!;
    const bytes = new Uint8Array(size);
    bytes.set(frame.bytes.subarray(0, size));
    for (let times = below(4); times > 0; times--) {
      bytes[below(Math.min(size, HEADERS))] = below(8) === 0 ? below(256) : TELLING[below(TELLING.length)]!;
    }
    return { ...frame, bytes, end: size };
  });
}

function subject(name: string, bytes: Uint8Array, mapInit: MapInit): Subject {
  const object = loadObject(bytes);
  return { name, bytes, object, programs: object.programs.map((program) => program.name), mapInit };
}

/**
 * Programs that read the clock, the CPU's number or the random generator get other answers from the kernel each time.
 * Here they are asked with those answers fixed on both sides: in their objects each such call is a constant instead.
 */
const FIXED: readonly { readonly of: string; readonly name: string; readonly random: number }[] = [
  { of: 'ratelimit', name: 'ratelimit-at-rest', random: 0 },
  { of: 'sampler', name: 'sampler-every-packet', random: 0 },
  { of: 'sampler', name: 'sampler-no-packet', random: 1 },
];

/** All clocks stand still after two seconds. */
const fixedAnswers = (random: number): Readonly<Record<string, number>> => ({
  ktime_get_ns: 2_000_000_000,
  ktime_get_boot_ns: 2_000_000_000,
  ktime_get_coarse_ns: 2_000_000_000,
  ktime_get_tai_ns: 2_000_000_037,
  jiffies64: 300,
  get_prandom_u32: random,
  get_smp_processor_id: 0,
});

/** The object with `r0 = constant` in place of each call of a helper that is in `answers`. */
function withFixedAnswers(object: Uint8Array, answers: Readonly<Record<string, number>>): Uint8Array {
  const CALL = 0x85;
  const MOV64_IMMEDIATE = 0xb7;
  const bytes = Uint8Array.from(object);
  const view = new DataView(bytes.buffer);
  for (const section of parseElf(bytes, loadDefaults).sections) {
    if ((section.flags & SHF_EXECINSTR) === 0) continue;
    for (let at = section.offset; at < section.offset + section.size; at += 8) {
      if (bytes[at] !== CALL || bytes[at + 1] !== 0) continue;
      const answer = answers[helperName(view.getInt32(at + 4, true)) ?? ''];
      if (answer === undefined) continue;
      bytes[at] = MOV64_IMMEDIATE;
      view.setInt32(at + 4, answer, true);
    }
  }
  return bytes;
}

export function exampleNames(): string[] {
  return readdirSync(PROGRAMS)
    .filter((file) => file.endsWith('.bpf.o'))
    .map((file) => file.slice(0, -'.bpf.o'.length))
    .sort();
}

export const objectPath = (name: string): string => join(PROGRAMS, `${name}.bpf.o`);
export const capturePath = (name: string): string => join(PCAPS, name);

/** Every example program with its fill. */
export function examples(): readonly Subject[] {
  const plain = exampleNames()
    .filter((name) => !FIXED.some(({ of }) => of === name))
    .map((name) => {
      const fill = join(PROGRAMS, `${name}.maps.json`);
      return subject(
        name,
        readFileSync(objectPath(name)),
        existsSync(fill) ? (JSON.parse(readFileSync(fill, 'utf8')) as MapInit) : {},
      );
    });
  const fixed = FIXED.map(({ of, name, random }) =>
    subject(name, withFixedAnswers(readFileSync(objectPath(of)), fixedAnswers(random)), {}),
  );
  return [...plain, ...fixed];
}

/** Flags in the values of xdp-filter's maps: at which end of a packet to look, and for which protocol. */
const SOURCE = 1;
const DESTINATION = 2;
const TCP = 4;
const UDP = 8;

const flags = (value: number) => value.toString(16).padStart(2, '0').padEnd(16, '0');
/** Ports are kept in network byte order, in the low half of a u32. */
const port = (number: number) => `${number.toString(16).padStart(4, '0')}0000`;

/** Rules that meet hosts and services of the captures, each kind of rule some of its packets. */
const FILTER_RULES: MapInit = {
  filter_ports: [
    { key: port(80), value: flags(DESTINATION | TCP) },
    { key: port(443), value: flags(SOURCE | TCP | UDP) },
    { key: port(53), value: flags(SOURCE | DESTINATION | UDP) },
  ],
  filter_ipv4: [
    { key: '0a000001', value: flags(SOURCE) },
    { key: '0a006402', value: flags(DESTINATION) },
  ],
  filter_ipv6: [
    { key: 'fd000000000000000000000000000001', value: flags(DESTINATION) },
    { key: 'fd000100000000000000000000000002', value: flags(SOURCE | DESTINATION) },
  ],
  filter_ethernet: [
    { key: '020000000001', value: flags(SOURCE) },
    { key: '333300000001', value: flags(DESTINATION) },
  ],
};

/** Objects of xdp-tools that are replayed, the filters with rules. Empty where the package is not installed. */
export function xdpTools(): readonly Subject[] {
  if (!existsSync(XDP_TOOLS)) return [];
  const runnable = /^(xdpfilt_.*|xdp-dispatcher|xdpdump_xdp|xsk_def_xdp_prog.*)\.o$/;
  return readdirSync(XDP_TOOLS)
    .filter((file) => runnable.test(file))
    .sort()
    .map((file) => {
      const all = subject(file.slice(0, -'.o'.length), readFileSync(join(XDP_TOOLS, file)), {});
      const maps = new Set(all.object.maps.map((map) => map.name));
      return { ...all, mapInit: Object.fromEntries(Object.entries(FILTER_RULES).filter(([map]) => maps.has(map))) };
    });
}
