import { closeSync, existsSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateCapture } from '../tools/generate-capture.ts';

const FOLDER = fileURLToPath(new URL('../.tmp/bench', import.meta.url));

type Format = 'pcap' | 'pcapng';

/** Where scratch files go; it stays, so that captures are made once. */
export function scratch(name: string): string {
  mkdirSync(FOLDER, { recursive: true });
  return join(FOLDER, name);
}

/** Path of a capture of many flows, frames all of one size, or as the internet mixes them. */
export function captureOf(format: Format, size: number | 'imix', packets: number): string {
  const path = scratch(`${size}-${packets}.${format}`);
  if (existsSync(path)) return path;
  const file = openSync(`${path}.part`, 'w');
  generateCapture({ format, size, packets, seed: 1, flows: 1000, profile: 'mixed' }, (bytes) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  });
  closeSync(file);
  renameSync(`${path}.part`, path);
  return path;
}
