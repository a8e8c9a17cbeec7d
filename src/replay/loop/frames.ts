import { BLOCK } from '../../capture/pcapng.ts';
import { type Body, i32, i64, type Local, load, op, type Value } from '../../wasm/body.ts';
import { OPTION_ROWS, PIECE_BYTES, ROW, STATE } from './layout.ts';

/** Of an enhanced packet block: up to the data, and behind the options. */
const HEADER = 28;
const TRAILER = 4;
const FIXED = HEADER + TRAILER;

/** Bytes that the block of a packet takes at most: with its padding and options. */
export const blockRoom = (length: Value): Value => op('i32.add', length, i32(FIXED + 4 + ROW.bytes));

interface FrameToWrite {
  /** Where the block begins. */
  readonly at: Local;
  /** Place of the verdict's row among the rows. */
  readonly row: Local;
  readonly time: Local;
  readonly length: Local;
  /** On the wire. */
  readonly original: Value;
  /** For the time being. */
  readonly options: Local;
  /** Copies the bytes to an address. */
  readonly copy: (to: Value) => void;
}

/** Writes an enhanced packet block (draft-ietf-opsawg-pcapng) as capture/pcapng-writer.ts does; moves `at` behind it. */
export function writeFrame(body: Body, { at, row, time, length, original, options, copy }: FrameToWrite): void {
  const word = (offset: number, value: Value) => body.store('i32.store', at, offset, value);
  word(0, i32(BLOCK.ENHANCED_PACKET));
  word(8, i32(0));
  word(12, op('i32.wrap_i64', op('i64.shr_u', time, i64(32))));
  word(16, op('i32.wrap_i64', time));
  word(20, length);
  word(24, original);
  copy(op('i32.add', at, i32(HEADER)));
  // The padding is zero: four bytes are written behind the data, of which the options leave what they do not need.
  body.store('i32.store', op('i32.add', at, length), HEADER, i32(0));
  const padded = op('i32.and', op('i32.add', length, i32(3)), i32(-4));
  body.set(options, op('i32.add', at, padded));
  for (let done = 0; done < ROW.length; done += PIECE_BYTES) {
    body.store('v128.store', options, HEADER + done, load('v128.load', row, OPTION_ROWS + done));
  }
  body.set(options, op('i32.add', options, load('i32.load', row, OPTION_ROWS + ROW.length)));
  const total = op('i32.add', op('i32.sub', options, at), i32(FIXED));
  body.store('i32.store', options, HEADER, total);
  word(4, total);
  body.set(at, op('i32.add', options, i32(FIXED)));
  body.store('i32.store', i32(0), STATE.frames, at);
}
