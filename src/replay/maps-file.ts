import { closeSync, openSync, readSync } from 'node:fs';
import { LineSplitter } from '../base/lines.ts';
import type { MapDesk } from '../engine/map-desk.ts';
import type { KeptEntry } from '../engine/map-keeper.ts';
import { FileSink } from './file-sink.ts';

const CHUNK = 256 * 1024;

/** Writes all maps as one JSON document with an entry on each line: the whole need not fit into a string. */
export function writeMapsFile(path: string, desk: MapDesk): void {
  const file = new FileSink(path);
  try {
    for (const line of mapsLines(desk.contents())) file.line(line);
  } finally {
    file.close();
  }
}

/** The lines of that document. */
function* mapsLines(maps: ReturnType<MapDesk['contents']>): Generator<string> {
  yield '{"maps": [';
  let comma = '';
  for (const { map, type, entries } of maps) {
    yield `${comma}{"map": ${JSON.stringify(map)}, "type": ${JSON.stringify(type)}, "entries": [`;
    comma = '';
    for (const entry of entries) {
      yield comma + JSON.stringify(entry);
      comma = ',';
    }
    yield ']}';
    comma = ',';
  }
  yield ']}';
}

/** Reads what `writeMapsFile` wrote, one entry after the other. Throws the file system's error. */
export function* readMapsFile(path: string): Generator<KeptEntry> {
  const file = openSync(path, 'r');
  const lines = new LineSplitter();
  const buffer = new Uint8Array(CHUNK);
  let map = '';
  try {
    for (let size = readSync(file, buffer); size > 0; size = readSync(file, buffer)) {
      for (const line of lines.push(buffer.subarray(0, size))) {
        const text = line.startsWith(',') ? line.slice(1) : line;
        if (text.startsWith('{"map": ')) map = (JSON.parse(`${text}]}`) as { map: string }).map;
        else if (text.startsWith('{"key"')) yield { map, ...(JSON.parse(text) as Omit<KeptEntry, 'map'>) };
      }
    }
  } finally {
    closeSync(file);
  }
}
