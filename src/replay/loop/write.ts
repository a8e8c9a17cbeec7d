import { ATTENTION } from '../../abi/control.ts';
import { type NativeEntry, writeEntry, writeEntryInPlace } from '../../engine/native.ts';
import { Body, i32, i64, load, op, type Value } from '../../wasm/body.ts';
import { type FunctionType, ModuleWriter } from '../../wasm/module.ts';
import { CELL, CELL_BYTES } from '../counters.ts';
import type { FlowShare } from '../steering.ts';
import { writeFlowHash } from './flow-hash.ts';
import {
  CELLS,
  CODES,
  FIRST_CODE,
  HASHES,
  INTERFACE,
  INTERFACES,
  LAST_SIZE,
  PROTOCOLS,
  REDIRECT,
  REDIRECT_PLACES,
  REDIRECTS,
  SIZES,
  STATE,
  VERDICTS,
} from './layout.ts';
import { writeLines } from './lines.ts';
import { writeProtocol } from './protocol.ts';
import { isRecordable, type RecordingShape, writeRecording } from './recording.ts';
import { type RecordShape, writeRecord } from './records.ts';

/** Memories of the module: the loop's own, and the machine's. */
export const OWN = 0;
export const MACHINE = 1;

const SETTLE: FunctionType = { parameters: ['i32'], results: ['i32'] };
const DRAIN: FunctionType = { parameters: [], results: [] };
const LOOP: FunctionType = { parameters: ['i32', 'i32'], results: ['i32'] };

/** Frames of at least so many bytes stay where they lie, or are copied in one instruction; shorter ones by vectors. */
const LONG = 256;
const VECTOR = 16;
const VECTORS = 4;

export interface LoopSettings {
  readonly cpus: number;
  /** Which of the packets are run; all unless told. */
  readonly share: FlowShare | undefined;
  /** Which records of each packet are written. */
  readonly recorded: { readonly lines: boolean; readonly frames: boolean };
  /** Of the loop's own memory. */
  readonly pages: number;
  /** Whether long frames run where they lie in the block, which changes it. */
  readonly inPlace: boolean;
}

/**
 * A module with one function, `loop(at, end)`: runs the packets of the block's records from `at` on, counts them, and
 * gives where it stopped. It imports `run`, the program; `settle`, which is told r0 of a packet that JavaScript has to
 * count, and says whether to stop behind it; and `drain`, which takes away the lines and blocks of packets that were
 * recorded. Where lines are, `flush` writes those that wait.
 */
export function writeLoop(
  entry: NativeEntry,
  shape: RecordShape,
  { cpus, share, recorded, pages, inPlace }: LoopSettings,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleWriter();
  module.importMemory('own', pages);
  const { buffer } = entry.memory;
  module.importMemory('machine', buffer.byteLength / 65536, !(buffer instanceof ArrayBuffer));
  const run = module.importFunction('run', entry.type);
  const settle = module.importFunction('settle', SETTLE);
  const drain = module.importFunction('drain', DRAIN);
  const lines = recorded.lines ? writeLines(module, drain) : undefined;
  if (lines !== undefined) module.export('flush', lines.flush);
  const hash = cpus > 1 ? writeFlowHash(module, HASHES, shape.memory) : undefined;
  const recording: RecordingShape | undefined =
    recorded.lines || recorded.frames ? { lines, frames: recorded.frames, drain } : undefined;

  const body = new Body(LOOP.parameters.length);
  const at = body.parameter(0);
  const end = body.parameter(1);
  const [start, captured, original, next, interfaceNumber] = [0, 1, 2, 3, 4].map(() => body.local('i32')) as Five;
  const time = body.local('i64');
  const [offset, frameEnd, protocol, type, verdict] = [0, 1, 2, 3, 4].map(() => body.local('i32')) as Five;
  const code = body.local('i32');
  const interfaceCell = body.local('i32');
  const place = body.local('i32');
  const attention = body.local('i32');
  const redirectCell = body.local('i32');
  const cpu = body.local('i32');
  const one = body.local('v128');
  const packetsLeft = body.local('i32');
  const bytesLeft = body.local('i32');
  /** Of the packet in the capture. */
  const index = op('i64.sub', load('i64.load', i32(0), STATE.lastIndex), op('i64.extend_i32_u', packetsLeft));
  const stop = () => body.return(at);
  const state = (name: keyof typeof STATE) => load('i32.load', i32(0), STATE[name]);
  const wideState = (name: keyof typeof STATE) => load('i64.load', i32(0), STATE[name]);
  const setState = (name: keyof typeof STATE, value: Value) => body.store('i32.store', i32(0), STATE[name], value);
  const slot = (name: Parameters<NativeEntry['slot']>[0]) => load('i32.load', i32(0), entry.slot(name), MACHINE);

  /** Adds the packet to the cell that lies so many bytes behind the one of this number. */
  const count = (cell: Value, number = 0) => {
    const at = CELLS + number * CELL_BYTES;
    body.store('v128.store', cell, at, op('f64x2.add', load('v128.load', cell, at), one));
  };

  body.set(packetsLeft, state('packets'));
  body.set(bytesLeft, state('bytes'));
  body.loop((again) => {
    writeRecord(body, shape, { at, end, start, captured, original, next, time, interfaceNumber }, stop);
    body.if(op('i64.ge_u', op('i64.sub', time, wideState('from')), wideState('span')), stop);
    body.if(op('i32.eqz', packetsLeft), stop);
    body.if(op('i32.ge_u', captured, bytesLeft), stop);
    body.set(packetsLeft, op('i32.sub', packetsLeft, i32(1)));
    body.set(bytesLeft, op('i32.sub', bytesLeft, captured));
    setState('packets', packetsLeft);
    setState('start', start);
    setState('captured', captured);
    setState('original', original);
    setState('interfaceNumber', interfaceNumber);
    setState('next', next);
    body.store('i64.store', i32(0), entry.slot('now'), time, MACHINE);

    if (hash !== undefined) {
      body.call(hash, start, captured);
      body.code.i32(cpus).op('i32.rem_u').set(cpu.index);
      if (share !== undefined) {
        const own = op('i32.eq', op('i32.rem_u', cpu, i32(share.workers)), i32(share.worker));
        body.if(op('i32.eqz', own), () => {
          body.set(at, next);
          body.branch(again);
        });
      }
      body.store('i32.store', i32(0), entry.slot('cpu'), cpu, MACHINE);
    }
    body.set(frameEnd, op('i32.add', start, captured));
    writeProtocol(body, { memory: shape.memory, start, end: frameEnd, protocol, at: offset, type });
    setState('protocol', protocol);
    const copied = () => {
      writeCopy();
      body.set(frameEnd, op('i32.add', captured, i32(entry.frame)));
      writeEntry(entry, body, MACHINE, frameEnd);
    };
    if (inPlace) {
      const isLong = op('i32.ge_u', captured, i32(LONG));
      body.if(isLong, () => writeEntryInPlace(entry, body, MACHINE, start, frameEnd), copied);
    } else copied();
    entry.writeRun(body.code, run, MACHINE);
    body.code.op('i32.wrap_i64').set(code.index);
    writeTally();
    body.set(at, next);
    body.branch(again);
  });
  stop();
  body.code.op('unreachable');
  module.export('loop', module.body(LOOP, body.locals, body.code));
  return module.bytes();

  function writeCopy(): void {
    const copyVector = (vector: number) =>
      body.store(
        'v128.store',
        offset,
        entry.frame + vector,
        load('v128.load', op('i32.add', start, offset), vector, shape.memory),
        MACHINE,
      );
    body.if(
      op('i32.lt_u', captured, i32(LONG)),
      () => {
        body.set(offset, i32(0));
        body.loop((again) => {
          for (let vector = 0; vector < VECTORS; vector++) copyVector(vector * VECTOR);
          body.set(offset, op('i32.add', offset, i32(VECTORS * VECTOR)));
          body.branchIf(again, op('i32.lt_u', offset, captured));
        });
      },
      () => body.copy(i32(entry.frame), start, captured, [MACHINE, shape.memory]),
    );
  }

  /** A redirect to where packets were redirected before is counted here, and nothing that wants attention. */
  function writeRedirect(): void {
    body.set(redirectCell, i32(0));
    body.if(op('i32.eq', attention, i32(ATTENTION.redirect)), () => {
      const [key, target] = [slot('redirectKey'), slot('redirectTarget')];
      body.set(offset, op('i32.and', op('i32.xor', key, target), i32(REDIRECT_PLACES - 1)));
      body.set(offset, op('i32.mul', offset, i32(REDIRECT.bytes)));
      const known = (field: keyof typeof REDIRECT) => load('i32.load', offset, REDIRECTS + REDIRECT[field]);
      const flags = load('i64.load', i32(0), entry.slot('redirectFlags'), MACHINE);
      const same = [
        op('i32.eq', known('kind'), slot('redirectKind')),
        op('i32.eq', known('map'), slot('redirectMap')),
        op('i32.eq', known('key'), key),
        op('i32.eq', known('target'), target),
        op('i64.eq', load('i64.load', offset, REDIRECTS + REDIRECT.flags), flags),
        op('i32.ne', known('cell'), i32(0)),
      ];
      body.if(
        same.reduce((one, other) => op('i32.and', one, other)),
        () => {
          body.set(redirectCell, known('cell'));
          body.set(attention, i32(0));
        },
      );
    });
  }

  function writeTally(): void {
    const cellAt = (table: number, number: Value) => load('i32.load16_u', op('i32.shl', number, i32(1)), table);
    body.set(place, op('i32.sub', code, i32(FIRST_CODE)));
    const rare = op('select', i32(CODES), i32(CODES + 1), op('i32.eq', code, state('otherCode')));
    body.set(place, op('select', place, rare, op('i32.lt_u', place, i32(CODES))));
    body.set(verdict, cellAt(VERDICTS, place));
    body.set(protocol, cellAt(PROTOCOLS, protocol));
    const described = op('i32.mul', interfaceNumber, i32(INTERFACE.bytes));
    body.set(interfaceCell, load('i32.load', described, INTERFACES + INTERFACE.cell));
    // Numbers are below 2^16: no product wraps around.
    const hasCells = op(
      'i32.and',
      op('i32.ne', op('i32.mul', verdict, protocol), i32(0)),
      op('i32.ne', interfaceCell, i32(0)),
    );
    const isPlain =
      recording === undefined ? hasCells : op('i32.and', hasCells, isRecordable(entry, recording, time, index));
    body.set(attention, slot('attention'));
    // Records tell where a packet went: JavaScript writes those.
    if (recording === undefined) writeRedirect();
    body.if(
      op('i32.gt_u', isPlain, attention),
      () => {
        body.set(one, (to) => {
          op('f64x2.splat', op('f64.convert_i32_u', i32(1)))(to);
          op('f64.convert_i32_u', captured)(to);
          to.op('f64x2.replace_lane').byte(1);
        });
        for (const cell of [verdict, protocol, interfaceCell]) count(cell);
        if (recording === undefined) {
          body.if(redirectCell, () => {
            count(redirectCell);
            body.store('i32.store', i32(0), entry.slot('attention'), i32(0), MACHINE);
          });
        }
        const size = op('select', original, i32(LAST_SIZE), op('i32.lt_u', original, i32(LAST_SIZE)));
        count(op('i32.shl', load('i32.load8_u', size, SIZES), i32(Math.log2(CELL_BYTES))), CELL.sizes);
        const left = load('i64.load', i32(0), entry.slot('fuel'), MACHINE);
        const executed = op('f64.convert_i64_s', op('i64.sub', i64(entry.budget), left));
        const at = CELLS + CELL.instructions * CELL_BYTES;
        body.store('f64.store', i32(0), at, op('f64.add', load('f64.load', i32(0), at), executed));
        if (recording !== undefined) {
          writeRecording(body, entry, recording, {
            time,
            place,
            start,
            memory: shape.memory,
            captured,
            original,
            index,
          });
        }
      },
      () => {
        body.call(settle, code);
        body.code.block('if');
        body.return(next);
        body.code.end();
      },
    );
  }
}

type Five = [
  ReturnType<Body['local']>,
  ReturnType<Body['local']>,
  ReturnType<Body['local']>,
  ReturnType<Body['local']>,
  ReturnType<Body['local']>,
];
