import { PROTOCOL } from '../../capture/protocols.ts';
import { SIZE_RANGES } from '../../capture/summary.ts';
import { BLOCK_BYTES, BLOCK_FRONT } from '../../engine/host.ts';
import { CELL_BYTES, MOST_CELLS } from '../counters.ts';
import { HASH_TABLE_BYTES } from './flow-hash.ts';

/** Bytes of a capture that the loop looks at in one go: here, where the instance's memory has no room for them. */
export { BLOCK_BYTES, BLOCK_FRONT };

/** Vectors read so far beyond the last byte that is wanted. */
const SLACK = 64;
const PAGE = 65536;

/** Words of the loop's state, by address in its own memory. */
export const STATE = {
  /** Packets, and captured bytes, that may still be taken. */
  packets: 64,
  bytes: 68,
  /** Capture times that may be taken, in nanoseconds (64 bits): `span` of them from `from` on. */
  from: 72,
  span: 80,
  /** The packet that runs, or ran last: where it lies, its lengths, its interface; and where the next record begins. */
  start: 88,
  captured: 92,
  original: 96,
  /** Its interface's number in the section; its place in the table below tells the rest. */
  interfaceNumber: 100,
  next: 104,
  /** The code whose cell lies behind those of the codes from `FIRST_CODE` on. */
  otherCode: 108,
  /** Interfaces of the section in the table below. */
  interfaces: 112,
  /** Packets of which a line is to be written. */
  pending: 116,
  /** Index in the capture of the last packet that the loop may take (64 bits). */
  lastIndex: 120,
  /** Where the next line, and the next block, is to be put. */
  lines: 128,
  frames: 132,
  /** `protocolOf` the packet, as it came. */
  protocol: 136,
  end: 160,
} as const;

/**
 * How many bytes a cell lies behind the first, in 16 bits: of verdicts by code from −1 on, then of one other code, then
 * always 0. 0 stands for what JavaScript counts.
 */
export const VERDICTS = STATE.end;
export const FIRST_CODE = -1;
export const CODES = 32;

/** What generated code must know of an interface, by its number in the section. */
export const INTERFACE = { usable: 0, cell: 4, nanoseconds: 8, offset: 16, most: 24, id: 32, bytes: 40 } as const;
export const INTERFACES = 256;
/** Packets of interfaces beyond are left to JavaScript. */
export const MOST_INTERFACES = 1024;

/** Redirects that were met, at a place that key and target give: the words of the control block, and the cell. */
export const REDIRECT = { kind: 0, map: 4, key: 8, target: 12, flags: 16, cell: 24, bytes: 32 } as const;
export const REDIRECTS = INTERFACES + MOST_INTERFACES * INTERFACE.bytes;
export const REDIRECT_PLACES = 64;

/** Cells in the same way, by protocol. */
export const PROTOCOLS = REDIRECTS + REDIRECT_PLACES * REDIRECT.bytes;
export const CELLS = Math.ceil((PROTOCOLS + 2 * PROTOCOL.END) / CELL_BYTES) * CELL_BYTES;
/** What the flow hash reads. */
export const HASHES = CELLS + MOST_CELLS * CELL_BYTES;
/** By length on the wire, a byte each: its range; lengths from the last on are in the last. */
export const SIZES = HASHES + HASH_TABLE_BYTES;
export const LAST_SIZE = SIZE_RANGES.at(-1)!;
export const BLOCK = Math.ceil((SIZES + LAST_SIZE + 1) / PAGE) * PAGE;
export const MEMORY_PAGES = Math.ceil((BLOCK + BLOCK_BYTES + SLACK) / PAGE);

/** What is there only where packets are recorded. */
const RECORDING = Math.ceil((BLOCK + BLOCK_BYTES + SLACK) / PAGE) * PAGE;
/** `0000` … `9999`, and `00` … `ff`. */
export const DECIMALS = RECORDING;
export const HEXADECIMALS = DECIMALS + 4 * 10_000;
/** By place among the verdicts: text or bytes, and how many, in the last word. */
export const ROW = { bytes: 64, length: 60 } as const;
export const LINE_ROWS = HEXADECIMALS + 2 * 256;
export const OPTION_ROWS = LINE_ROWS + (CODES + 1) * ROW.bytes;
/** Pieces of a line that are always the same. */
export const PIECES = OPTION_ROWS + (CODES + 1) * ROW.bytes;
export const PIECE_BYTES = 16;
/** The seconds of the line before: their number, how many digits they have, and their text. */
export const SECONDS = PIECES + 12 * PIECE_BYTES;
export const SECONDS_FIELDS = { value: 0, length: 4, text: 16 } as const;
/** Packets of which a line is to be written, with their bytes as they left: hashed side by side. */
export const PENDING = PIECES + 16 * PIECE_BYTES;
export const LANES = 4;
export const PENDING_DATA = 64;
export const LONGEST_PENDING = 2048;
export const PENDING_BYTES = PENDING_DATA + LONGEST_PENDING + SLACK;
/** Lines, and pcapng blocks, that JavaScript has yet to take. */
export const LINES = PENDING + LANES * PENDING_BYTES;
export const LINES_BYTES = 256 * 1024;
export const LONGEST_LINE = 512;
export const FRAMES = Math.ceil((LINES + LINES_BYTES + SLACK) / PIECE_BYTES) * PIECE_BYTES;
export const FRAMES_BYTES = 1024 * 1024;
export const RECORDING_PAGES = Math.ceil((FRAMES + FRAMES_BYTES + SLACK) / PAGE);
