import { DEFAULT_BOUNDS } from '../../capture/frame.ts';
import { PCAP_RECORD_LENGTH } from '../../capture/pcap.ts';
import { BLOCK, PACKET_DATA, SMALLEST_PACKET_BLOCK } from '../../capture/pcapng.ts';
import { type Body, i32, i64, type Local, load, op, type Value } from '../../wasm/body.ts';
import { INTERFACE, INTERFACES, STATE } from './layout.ts';

/** What of a capture's headers the code that walks its records is made for. */
export interface RecordShape {
  readonly format: 'pcap' | 'pcapng';
  readonly littleEndian: boolean;
  /** pcap: what a unit of the fraction is worth. */
  readonly nanosecondsPerUnit: number;
  /** Number of the memory in which the records lie. */
  readonly memory: number;
}

/** Locals in which the record that begins at `at` is described. */
export interface RecordLocals {
  readonly at: Local;
  readonly end: Local;
  readonly start: Local;
  readonly captured: Local;
  readonly original: Local;
  readonly next: Local;
  /** 64 bits; all others have 32. */
  readonly time: Local;
  /** Number of the interface in its section. */
  readonly interfaceNumber: Local;
}

const ETHERNET_HEADER = 14;

/**
 * Writes what reads one record. `stop` is written where it is none for the loop: cut by the block's end, damaged, of
 * another kind, or too short to be run; the capture's own reader looks at it then.
 */
export function writeRecord(body: Body, shape: RecordShape, locals: RecordLocals, stop: () => void): void {
  const stopIf = (condition: Value) => body.if(condition, stop);
  (shape.format === 'pcap' ? pcapRecord : pcapngRecord)(body, shape, locals, stopIf);
  const { start, captured, next } = locals;
  stopIf(op('i32.lt_u', captured, i32(ETHERNET_HEADER)));
  stopIf(op('i32.gt_u', captured, i32(DEFAULT_BOUNDS.maxFrame)));
  // The record's end was checked to lie in the block: what is captured must end before it.
  stopIf(op('i32.gt_u', op('i32.add', start, captured), next));
}

/** A 32-bit word of the record in the capture's byte order. */
const wordsOf =
  ({ littleEndian, memory }: RecordShape, at: Local) =>
  (offset: number): Value => {
    const word = load('i32.load', at, offset, memory);
    if (littleEndian) return word;
    const half = (name: 'i32.rotl' | 'i32.rotr', mask: number) => op('i32.and', op(name, word, i32(8)), i32(mask));
    return op('i32.or', half('i32.rotl', 0x00ff00ff), half('i32.rotr', 0xff00ff00));
  };

const wide = (value: Value): Value => op('i64.extend_i32_u', value);
const larger = (a: Value, b: Value): Value => op('select', a, b, op('i32.gt_u', a, b));

type RecordWriter = (body: Body, shape: RecordShape, locals: RecordLocals, stopIf: (condition: Value) => void) => void;

/** draft-ietf-opsawg-pcap, section "Packet Record". */
const pcapRecord: RecordWriter = (body, shape, locals, stopIf) => {
  const { at, end, start, captured, original, next, time, interfaceNumber } = locals;
  const { nanosecondsPerUnit } = shape;
  const word = wordsOf(shape, at);
  stopIf(op('i32.lt_u', op('i32.sub', end, at), i32(PCAP_RECORD_LENGTH)));
  body.set(captured, word(8));
  body.set(start, op('i32.add', at, i32(PCAP_RECORD_LENGTH)));
  stopIf(op('i32.gt_u', captured, op('i32.sub', end, start)));
  body.set(next, op('i32.add', start, captured));
  const fraction = original;
  body.set(fraction, word(4));
  stopIf(op('i32.ge_u', fraction, i32(1e9 / nanosecondsPerUnit)));
  const nanoseconds = op('i64.mul', wide(fraction), i64(nanosecondsPerUnit));
  body.set(time, op('i64.add', op('i64.mul', wide(word(0)), i64(1e9)), nanoseconds));
  body.set(original, word(12));
  body.set(original, larger(original, captured));
  body.set(interfaceNumber, i32(0));
};

/** draft-ietf-opsawg-pcapng, section "Enhanced Packet Block". */
const pcapngRecord: RecordWriter = (body, shape, locals, stopIf) => {
  const { at, end, start, captured, original, next, time, interfaceNumber } = locals;
  const word = wordsOf(shape, at);
  stopIf(op('i32.lt_u', op('i32.sub', end, at), i32(SMALLEST_PACKET_BLOCK)));
  stopIf(op('i32.ne', word(0), i32(BLOCK.ENHANCED_PACKET)));
  body.set(next, word(4));
  const unfit = op('i32.or', op('i32.lt_u', next, i32(SMALLEST_PACKET_BLOCK)), op('i32.and', next, i32(3)));
  stopIf(op('i32.or', unfit, op('i32.gt_u', next, op('i32.sub', end, at))));
  body.set(captured, word(20));
  stopIf(op('i32.gt_u', captured, op('i32.sub', next, i32(SMALLEST_PACKET_BLOCK))));
  body.set(start, op('i32.add', at, next));
  // The length is there again at the block's end.
  const raw = (from: Value, offset: number) => load('i32.load', from, offset, shape.memory);
  stopIf(op('i32.ne', raw(op('i32.sub', start, i32(4)), 0), raw(at, 4)));
  body.set(next, start);
  body.set(start, op('i32.add', at, i32(PACKET_DATA)));
  body.set(interfaceNumber, word(8));
  stopIf(op('i32.ge_u', interfaceNumber, load('i32.load', i32(0), STATE.interfaces)));
  const known = (name: 'i32.load' | 'i64.load', field: keyof typeof INTERFACE) =>
    load(name, op('i32.mul', interfaceNumber, i32(INTERFACE.bytes)), INTERFACES + INTERFACE[field]);
  stopIf(op('i32.eqz', known('i32.load', 'usable')));
  body.set(time, op('i64.or', op('i64.shl', wide(word(12)), i64(32)), wide(word(16))));
  stopIf(op('i64.gt_u', time, known('i64.load', 'most')));
  const nanoseconds = op('i64.mul', time, known('i64.load', 'nanoseconds'));
  body.set(time, op('i64.add', nanoseconds, known('i64.load', 'offset')));
  body.set(original, word(24));
  body.set(original, larger(original, captured));
};
