import { readSync } from 'node:fs';
import type { Replay } from './replay.ts';

/**
 * Reads the next bytes of an open file straight to where the replay wants them, blocking, and pushes them. Gives how many
 * they were; 0 at the file's end, and where the replay takes no more. Throws the file system's error.
 */
export function pushFrom(file: number, replay: Replay): number {
  const { buffer } = replay;
  const size = readSync(file, buffer);
  return size > 0 && replay.push(buffer.subarray(0, size)) ? size : 0;
}
