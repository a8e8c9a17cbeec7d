import { encodeUtf8 } from '../../base/bytes.ts';
import { createPcapngWriter, type PacketVerdict } from '../../capture/pcapng-writer.ts';
import {
  DECIMALS,
  FRAMES,
  HEXADECIMALS,
  LINE_ROWS,
  LINES,
  OPTION_ROWS,
  PIECE_BYTES,
  PIECES,
  ROW,
  STATE,
} from './layout.ts';
import { LINE_PIECES } from './lines.ts';

const GROUP = 10_000;
/** Of an enhanced packet block without data: up to its options, and behind them. */
const HEADER = 28;
const TRAILER = 4;

/** Fills in what generated code puts together the records of packets from. */
export function fillTables(bytes: Uint8Array, view: DataView): void {
  const put = (at: number, text: string) => bytes.set(encodeUtf8(text), at);
  for (let number = 0; number < GROUP; number++) put(DECIMALS + 4 * number, String(number).padStart(4, '0'));
  for (let byte = 0; byte < 256; byte++) put(HEXADECIMALS + 2 * byte, byte.toString(16).padStart(2, '0'));
  for (const [index, piece] of LINE_PIECES.entries()) put(PIECES + index * PIECE_BYTES, piece);
  view.setUint32(STATE.lines, LINES, true);
  view.setUint32(STATE.frames, FRAMES, true);
}

/** Fills in what the records of packets with a verdict have in common; false where that is more than has room. */
export function fillRow(
  bytes: Uint8Array,
  view: DataView,
  place: number,
  {
    type,
    verdict,
    retval,
  }: { readonly type: PacketVerdict['type']; readonly verdict: string; readonly retval: number },
): boolean {
  const line = encodeUtf8(`${JSON.stringify(verdict)},"retval":${retval},"out_len":`);
  const options = optionsOf({ type, value: retval | 0 }, verdict);
  for (const [rows, content] of [
    [LINE_ROWS, line],
    [OPTION_ROWS, options],
  ] as const) {
    if (content.length > ROW.length) return false;
    bytes.set(content, rows + place * ROW.bytes);
    view.setUint32(rows + place * ROW.bytes + ROW.length, content.length, true);
  }
  return true;
}

/** The options of an enhanced packet block, as the writer of captures writes them. */
function optionsOf(verdict: PacketVerdict, comment: string): Uint8Array {
  let written = new Uint8Array(0);
  const writer = createPcapngWriter((bytes) => {
    written = bytes.slice();
  });
  writer.end();
  const packet = { bytes: written, start: 0, end: 0, originalLength: 0, seconds: 0, nanoseconds: 0, interfaceId: 0 };
  writer.write(packet, verdict, comment);
  writer.end();
  return written.subarray(HEADER, written.length - TRAILER);
}
