import { Body, i32, i64, type Local, load, op, type Value } from '../../wasm/body.ts';
import type { FunctionType, ModuleWriter } from '../../wasm/module.ts';
import {
  DECIMALS,
  HEXADECIMALS,
  LANES,
  LINE_ROWS,
  LINES,
  LINES_BYTES,
  LONGEST_LINE,
  PENDING,
  PENDING_BYTES,
  PENDING_DATA,
  PIECE_BYTES,
  PIECES,
  ROW,
  SECONDS,
  SECONDS_FIELDS,
  STATE,
} from './layout.ts';

/** FNV-1a, 64 bits (RFC 9923). */
export const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** Fields of a packet of which a line is to be written. */
export const PENDING_FIELDS = { index: 0, time: 8, hash: 16, captured: 24, length: 28, row: 32 } as const;

/** The pieces of a line between what differs from packet to packet; the verdict's row holds what is in between them. */
export const LINE_PIECES = [
  '{"index":',
  ',"ts_ns":"',
  '","caplen":',
  ',"verdict":',
  ',"out_fnv1a64":"',
  '","redirect":null,"error":null}\n',
] as const;

/** Where a piece lies; the last takes several places. */
const pieceAt = (index: number) => PIECES + index * PIECE_BYTES;

const NUMBER: FunctionType = { parameters: ['i32', 'i32'], results: ['i32'] };
const NOTHING: FunctionType = { parameters: [], results: [] };
const GROUP = 10_000;
/** Bytes of each packet between two looks at the end. */
const STRIDE = 8;

/** One step of the hash. */
export function hashByte(body: Body, hash: Local, byte: Value): void {
  body.set(hash, op('i64.mul', op('i64.xor', hash, byte), i64(FNV_PRIME)));
}

/**
 * Writes `flush()`, which hashes the packets that wait and writes their lines, and `line(packet, at)`, which writes that of
 * one and gives where it ends; gives their indices.
 */
export function writeLines(module: ModuleWriter, drain: number): { readonly flush: number; readonly line: number } {
  const decimal = writeDecimal(module);
  const line = writeLine(module, decimal);
  const body = new Body(0);
  const count = body.local('i32');
  const slot = body.local('i32');
  body.set(count, load('i32.load', i32(0), STATE.pending));
  const room = op('i32.sub', i32(LINES + LINES_BYTES), load('i32.load', i32(0), STATE.lines));
  body.if(op('i32.lt_u', room, i32(LANES * LONGEST_LINE)), () => body.call(drain));
  writeHashes(body, count);
  body.set(slot, i32(PENDING));
  body.block((done) =>
    body.loop((again) => {
      body.branchIf(done, op('i32.eqz', count));
      const at = load('i32.load', i32(0), STATE.lines);
      body.store('i32.store', i32(0), STATE.lines, callOf(line, slot, at));
      body.set(slot, op('i32.add', slot, i32(PENDING_BYTES)));
      body.set(count, op('i32.sub', count, i32(1)));
      body.branch(again);
    }),
  );
  body.store('i32.store', i32(0), STATE.pending, i32(0));
  return { flush: module.body(NOTHING, body.locals, body.code), line };
}

const callOf =
  (index: number, ...operands: readonly Value[]): Value =>
  (code) => {
    for (const operand of operands) operand(code);
    code.call(index);
  };

/**
 * A multiply waits for the one before it, so that one packet's hash leaves the processor idle: as many as wait are taken
 * a byte each in turn, as far as the shortest goes.
 */
function writeHashes(body: Body, count: Local): void {
  const lanes = Array.from({ length: LANES }, (_, lane) => ({
    at: PENDING + lane * PENDING_BYTES,
    hash: body.local('i64'),
    length: body.local('i32'),
  }));
  const index = body.local('i32');
  const common = body.local('i32');
  for (const { at, length, hash } of lanes) {
    body.set(length, load('i32.load', i32(0), at + PENDING_FIELDS.length));
    body.set(hash, i64(FNV_OFFSET));
  }
  body.set(common, i32(0));
  body.set(index, i32(0));
  body.if(op('i32.eq', count, i32(LANES)), () => {
    body.set(common, lanes[0]!.length);
    for (const { length } of lanes.slice(1)) {
      body.set(common, op('select', length, common, op('i32.lt_u', length, common)));
    }
    // What is left of the shortest is taken with the rest of each.
    body.set(common, op('i32.and', common, i32(-STRIDE)));
    body.block((done) =>
      body.loop((again) => {
        body.branchIf(done, op('i32.ge_u', index, common));
        for (let byte = 0; byte < STRIDE; byte++) {
          for (const { at, hash } of lanes) hashByte(body, hash, load('i64.load8_u', index, at + PENDING_DATA + byte));
        }
        body.set(index, op('i32.add', index, i32(STRIDE)));
        body.branch(again);
      }),
    );
  });
  for (const [lane, { at, hash, length }] of lanes.entries()) {
    body.if(op('i32.gt_u', count, i32(lane)), () => {
      body.set(index, common);
      body.block((done) =>
        body.loop((again) => {
          body.branchIf(done, op('i32.ge_u', index, length));
          hashByte(body, hash, load('i64.load8_u', index, at + PENDING_DATA));
          body.set(index, op('i32.add', index, i32(1)));
          body.branch(again);
        }),
      );
      body.store('i64.store', i32(0), at + PENDING_FIELDS.hash, hash);
    });
  }
}

/** `decimal(value, at)`: a number without leading zeroes; gives where it ends. */
function writeDecimal(module: ModuleWriter): number {
  const own = module.nextFunction;
  const body = new Body(2);
  const value = body.parameter(0);
  const at = body.parameter(1);
  const length = body.local('i32');
  body.if(op('i32.ge_u', value, i32(GROUP)), () => {
    body.set(at, callOf(own, op('i32.div_u', value, i32(GROUP)), at));
    putGroup(body, at, 0, op('i32.rem_u', value, i32(GROUP)));
    body.return(op('i32.add', at, i32(4)));
  });
  const isAbove = (limit: number) => op('i32.ge_u', value, i32(limit));
  body.set(length, op('i32.add', op('i32.add', isAbove(10), isAbove(100)), op('i32.add', isAbove(1000), i32(1))));
  const padded = load('i32.load', op('i32.shl', value, i32(2)), DECIMALS);
  // The first digit is the lowest byte: leading zeroes are shifted out.
  const zeroes = op('i32.shl', op('i32.sub', i32(4), length), i32(3));
  body.store('i32.store', at, 0, op('i32.shr_u', padded, zeroes));
  op('i32.add', at, length)(body.code);
  return module.body(NUMBER, body.locals, body.code);
}

/** Four digits. */
function putGroup(body: Body, at: Value, offset: number, value: Value): void {
  body.store('i32.store', at, offset, load('i32.load', op('i32.shl', value, i32(2)), DECIMALS));
}

/** `line(packet, at)`: the line of a packet that waits; gives where it ends. */
function writeLine(module: ModuleWriter, decimal: number): number {
  const body = new Body(2);
  const packet = body.parameter(0);
  const at = body.parameter(1);
  const row = body.local('i32');
  const seconds = body.local('i32');
  const rest = body.local('i32');
  const time = body.local('i64');
  const field = (name: 'index' | 'time' | 'hash') => load('i64.load', packet, PENDING_FIELDS[name]);
  const word = (name: 'captured' | 'length' | 'row') => load('i32.load', packet, PENDING_FIELDS[name]);
  const forward = (bytes: number) => body.set(at, op('i32.add', at, i32(bytes)));
  const piece = (index: number) => {
    const { length } = LINE_PIECES[index]!;
    for (let done = 0; done < length; done += PIECE_BYTES) {
      body.store('v128.store', at, done, load('v128.load', i32(0), pieceAt(index) + done));
    }
    forward(length);
  };
  const number = (value: Value) => body.set(at, callOf(decimal, value, at));

  piece(0);
  number(op('i32.wrap_i64', field('index')));
  piece(1);
  body.set(time, op('i64.div_u', field('time'), i64(1e9)));
  body.set(rest, op('i32.wrap_i64', op('i64.sub', field('time'), op('i64.mul', time, i64(1e9)))));
  body.set(seconds, op('i32.wrap_i64', time));
  // Within the first second of the epoch there are no seconds, and no zeroes in front of the rest.
  body.if(
    op('i32.eqz', seconds),
    () => number(rest),
    () => {
      body.if(op('i32.ne', seconds, load('i32.load', i32(0), SECONDS + SECONDS_FIELDS.value)), () => {
        const text = SECONDS + SECONDS_FIELDS.text;
        body.store('i32.store', i32(0), SECONDS + SECONDS_FIELDS.value, seconds);
        const length = op('i32.sub', callOf(decimal, seconds, i32(text)), i32(text));
        body.store('i32.store', i32(0), SECONDS + SECONDS_FIELDS.length, length);
      });
      body.store('v128.store', at, 0, load('v128.load', i32(0), SECONDS + SECONDS_FIELDS.text));
      body.set(at, op('i32.add', at, load('i32.load', i32(0), SECONDS + SECONDS_FIELDS.length)));
      // Nine digits: one, and two groups.
      body.set(seconds, op('i32.div_u', rest, i32(GROUP)));
      body.set(row, op('i32.div_u', seconds, i32(GROUP)));
      body.store('i32.store8', at, 0, op('i32.add', row, i32(0x30)));
      putGroup(body, at, 1, op('i32.rem_u', seconds, i32(GROUP)));
      putGroup(body, at, 5, op('i32.rem_u', rest, i32(GROUP)));
      forward(9);
    },
  );
  piece(2);
  number(word('captured'));
  piece(3);
  body.set(row, word('row'));
  for (let done = 0; done < ROW.length; done += PIECE_BYTES) {
    body.store('v128.store', at, done, load('v128.load', row, LINE_ROWS + done));
  }
  body.set(at, op('i32.add', at, load('i32.load', row, LINE_ROWS + ROW.length)));
  number(word('length'));
  piece(4);
  body.set(time, field('hash'));
  for (let byte = 0; byte < 8; byte++) {
    const bits = op('i32.wrap_i64', op('i64.shr_u', time, i64(56 - 8 * byte)));
    const pair = op('i32.shl', op('i32.and', bits, i32(0xff)), i32(1));
    body.store('i32.store16', at, 2 * byte, load('i32.load16_u', pair, HEXADECIMALS));
  }
  forward(16);
  piece(5);
  at(body.code);
  return module.body(NUMBER, body.locals, body.code);
}
