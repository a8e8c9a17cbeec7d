import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import type { NativeEntry } from '../../engine/native.ts';
import { type Body, i32, i64, type Local, load, op, type Value } from '../../wasm/body.ts';
import { blockRoom, writeFrame } from './frames.ts';
import {
  FRAMES,
  FRAMES_BYTES,
  LANES,
  LONGEST_PENDING,
  PENDING,
  PENDING_BYTES,
  PENDING_DATA,
  ROW,
  STATE,
} from './layout.ts';
import { FNV_OFFSET, hashByte, PENDING_FIELDS } from './lines.ts';

/** Which of a packet's records are written; the functions' indices, where there are lines. */
export interface RecordingShape {
  readonly lines: { readonly flush: number; readonly line: number } | undefined;
  readonly frames: boolean;
  /** Hands what was written to JavaScript. */
  readonly drain: number;
}

/** What of a packet its records tell. */
export interface RecordedLocals {
  readonly time: Local;
  /** Place of its verdict. */
  readonly place: Local;
  /** Where it lies, as it came, and in which memory. */
  readonly start: Local;
  readonly memory: number;
  readonly captured: Local;
  readonly original: Local;
  readonly index: Value;
}

const [OWN, MACHINE] = [0, 1];
const ETHERNET_HEADER = 14;
const VECTOR = 16;
const LONG = 256;
/** Seconds, and packets, beyond are told by JavaScript. */
const MOST = 1n << 32n;

/** Whether generated code can write the records of the packet that ran. */
export function isRecordable(entry: NativeEntry, shape: RecordingShape, time: Value, index: Value): Value {
  const within = (value: Value, limit: bigint) => op('i64.lt_u', value, i64(limit));
  const isNear = op('i32.and', within(time, MOST * 1_000_000_000n), within(index, MOST));
  if (!shape.frames || entry.programType.context !== SK_BUFF || entry.programType.layer === 3) return isNear;
  // A tag that Linux keeps beside the bytes goes behind the addresses when the packet leaves.
  const tag = load('i32.load', i32(0), entry.context + offsetIn(SK_BUFF, 'vlan_present'), MACHINE);
  return op('i32.and', isNear, op('i32.eqz', tag));
}

/** Writes what records the packet that ran. */
export function writeRecording(body: Body, entry: NativeEntry, shape: RecordingShape, packet: RecordedLocals): void {
  const { programType } = entry;
  const [from, length, at, row, index, options] = Array.from({ length: 6 }, () => body.local('i32')) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const edge = (name: 'packetStart' | 'packetData' | 'packetBytesEnd') =>
    load('i32.load', i32(0), entry.slot(name), MACHINE);
  const [meta, data, end] = [edge('packetStart'), edge('packetData'), edge('packetBytesEnd')];
  const copy = (to: Value) => copyOut(body, { to, from, length, index });
  body.set(row, op('i32.mul', packet.place, i32(ROW.bytes)));
  body.set(from, programType.writeLeave({ body, memory: MACHINE, meta, data }));
  if (shape.lines !== undefined) {
    body.set(length, op('i32.sub', end, from));
    writePending(body, shape.lines, { ...packet, row, from, length, at, byte: index, copy });
  }
  if (!shape.frames) return;
  // Metadata is left behind.
  if (programType.context !== SK_BUFF) body.set(from, data);
  body.set(length, op('i32.sub', end, from));
  const room = op('i32.sub', i32(FRAMES + FRAMES_BYTES), load('i32.load', i32(0), STATE.frames));
  body.if(op('i32.lt_u', room, blockRoom(length)), () => body.call(shape.drain));
  body.set(at, load('i32.load', i32(0), STATE.frames));
  const missing = op('i32.sub', packet.original, packet.captured);
  writeFrame(body, {
    at,
    row,
    time: packet.time,
    length,
    original: op('i32.add', length, missing),
    options,
    copy(to) {
      copy(to);
      // The program saw no Ethernet header: the packet keeps the one it came with.
      if (programType.layer === 3) {
        for (const offset of [0, ETHERNET_HEADER - 8]) {
          body.store('i64.store', at, 28 + offset, load('i64.load', packet.start, offset, packet.memory));
        }
      }
    },
  });
}

/** Puts the packet among those of which a line is to be written, which is done when there are enough. */
function writePending(
  body: Body,
  { flush, line }: NonNullable<RecordingShape['lines']>,
  packet: RecordedLocals & {
    row: Local;
    from: Local;
    length: Local;
    at: Local;
    byte: Local;
    copy: (to: Value) => void;
  },
): void {
  const { at, length, from, byte } = packet;
  const pending = load('i32.load', i32(0), STATE.pending);
  const hash = body.local('i64');
  const describe = () => {
    const field = (name: keyof typeof PENDING_FIELDS, value: Value, store: 'i32.store' | 'i64.store' = 'i32.store') =>
      body.store(store, at, PENDING_FIELDS[name], value);
    field('index', packet.index, 'i64.store');
    field('time', packet.time, 'i64.store');
    field('captured', packet.captured);
    field('length', length);
    field('row', packet.row);
  };
  body.if(
    op('i32.le_u', length, i32(LONGEST_PENDING)),
    () => {
      body.set(at, op('i32.add', op('i32.mul', pending, i32(PENDING_BYTES)), i32(PENDING)));
      describe();
      packet.copy(op('i32.add', at, i32(PENDING_DATA)));
      body.store('i32.store', i32(0), STATE.pending, op('i32.add', pending, i32(1)));
      body.if(op('i32.eq', pending, i32(LANES)), () => body.call(flush));
    },
    () => {
      body.call(flush);
      body.set(at, i32(PENDING));
      describe();
      body.set(hash, i64(FNV_OFFSET));
      body.set(byte, from);
      body.loop((again) => {
        hashByte(body, hash, load('i64.load8_u', byte, 0, MACHINE));
        body.set(byte, op('i32.add', byte, i32(1)));
        body.branchIf(again, op('i32.lt_u', byte, op('i32.add', from, length)));
      });
      body.store('i64.store', at, PENDING_FIELDS.hash, hash);
      body.store('i32.store', i32(0), STATE.lines, (code) => {
        at(code);
        load('i32.load', i32(0), STATE.lines)(code);
        code.call(line);
      });
    },
  );
}

/** The packet's bytes into the loop's own memory, by whole vectors where they are few. */
function copyOut(
  body: Body,
  { to, from, length, index }: { to: Value; from: Local; length: Local; index: Local },
): void {
  body.if(
    op('i32.lt_u', length, i32(LONG)),
    () => {
      body.set(index, i32(0));
      body.loop((again) => {
        const vector = load('v128.load', op('i32.add', from, index), 0, MACHINE);
        body.store('v128.store', op('i32.add', to, index), 0, vector);
        body.set(index, op('i32.add', index, i32(VECTOR)));
        body.branchIf(again, op('i32.lt_u', index, length));
      });
    },
    () => body.copy(to, from, length, [OWN!, MACHINE!]),
  );
}
