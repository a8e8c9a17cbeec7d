import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PCAP_HEADER_LENGTH } from '../src/capture/pcap.ts';
import { generateCapture } from '../tools/generate-capture.ts';

const FOLDER = fileURLToPath(new URL('../.tmp/bench', import.meta.url));

type Format = 'pcap' | 'pcapng';

/** Where scratch files go; it stays, so that captures are made once. */
export function scratch(name: string): string {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, name);
}

const IN_MEMORY = '/dev/shm';

/**
 * A folder of files that stay in memory, which the page cache of a disk does not promise, where `bytes` have room there
 * twice; it is gone when disposed of. Else the scratch folder.
 */
export function memoryFolder(bytes: number): Disposable & { readonly path: string; readonly isInMemory: boolean } {
  const room = existsSync(IN_MEMORY) ? statfsSync(IN_MEMORY) : { bavail: 0, bsize: 0 };
  if (room.bavail * room.bsize < 2 * bytes) return { path: scratch(''), isInMemory: false, [Symbol.dispose]() {} };
  const path = mkdtempSync(join(IN_MEMORY, 'bpfreplay-bench-'));
  return { path, isInMemory: true, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** Path of a capture of many flows, frames all of one size, or as the internet mixes them. */
export function captureOf(format: Format, size: number | 'imix', packets: number, folder = scratch('')): string {
  const path = join(folder, `${size}-${packets}.${format}`);
  if (existsSync(path)) return path;
  const file = openSync(`${path}.part`, 'w');
  generateCapture({ format, size, packets, seed: 1, flows: 1000, profile: 'mixed' }, (bytes) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  });
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}

/** Path of a pcap capture whose packets are those of another, so many times. */
export function repeated(pcap: string, times: number, folder: string): string {
  const path = join(folder, `${times}-times-${basename(pcap)}`);
  if (existsSync(path)) return path;
  const records = readFileSync(pcap).subarray(PCAP_HEADER_LENGTH);
  copyFileSync(pcap, `${path}.part`);
  for (let time = 1; time < times; time++) appendFileSync(`${path}.part`, records);
  renameSync(`${path}.part`, path);
  return path;
}

/** Copies of a capture in a folder: how the page cache holds a file differs from one to the next. */
export function copiesOf(capture: string, copies: number, folder: string): string[] {
  return Array.from({ length: copies }, (_, index) => {
    const path = join(folder, `${index}-${basename(capture)}`);
    if (!existsSync(path)) copyFileSync(capture, path);
    return path;
  });
}
