import type { Region } from '../../abi/memory.ts';
import { ENDINGS } from '../call/limits.ts';
import { reach } from '../call/reach.ts';
import type { Registers } from '../call/registers.ts';
import type { LinearMemory } from '../memory/memory.ts';
import { cut, signExtended, swap } from './alu.ts';
import { type Code, END } from './code.ts';
import type { StepObserver } from './interpreter.ts';

/** What a run is made of. `code`, `fuel` and `depth` change as it goes. */
export interface Run {
  readonly registers: Registers;
  readonly memory: LinearMemory;
  /** Region of the packet, which may be written. */
  readonly packet: Region;
  readonly budget: number;
  readonly observe: StepObserver | undefined;
  code: Code | undefined;
  /** Instructions that may still run. */
  fuel: number;
  /** Frames below the one that runs. */
  depth: number;
  /** Edges of the packet's region, which most accesses meet; only steps move them. */
  packetStart: number;
  packetEnd: number;
}

/**
 * From `start` to the end, one instruction after another, by their opcodes in RFC 9669. Second operands are registers:
 * an immediate is one that nobody writes. What is more than arithmetic, a jump, a load or a store has a step, which
 * gives the pc that comes next.
 */
export function execute(run: Run, start: number): void {
  const { view, u8 } = run.memory;
  const { r, s: i64, w, sw: i32 } = run.registers;
  let code = run.code!;
  let { opcode, dst, src, offset } = code;
  let pc = start;
  /** Instructions that may run before the next look at what is beyond them. */
  let left = 0;
  try {
    for (;;) {
      if (left === 0) left = lookAround(run, pc);
      left--;
      const at = pc++;
      const d = dst[at]!;
      const s = src[at]!;
      // The low halves in `w` and `i32`; the high ones lie behind them.
      const dl = 2 * d;
      const sl = 2 * s;
      // biome-ignore format: a table
      switch (opcode[at]) {
        // Section 4.1, 64 bits: `r` keeps the low 64 of what is stored. Shifts use the low 6 bits of the count; division by
        // zero gives 0, modulo by zero leaves the dividend, and the smallest integer divided by −1 is itself.
        case 0x0f: r[d] = r[d]! + r[s]!; break;
        case 0x1f: r[d] = r[d]! - r[s]!; break;
        case 0x2f: r[d] = r[d]! * r[s]!; break;
        case 0x3f:
          if (r[s] === 0n) r[d] = 0n;
          else if (offset[at] === 0) r[d] = r[d]! / r[s]!;
          else i64[d] = i64[d]! / i64[s]!;
          break;
        case 0x4f: r[d] = r[d]! | r[s]!; break;
        case 0x5f: r[d] = r[d]! & r[s]!; break;
        case 0x6f: r[d] = r[d]! << (r[s]! & 63n); break;
        case 0x7f: r[d] = r[d]! >> (r[s]! & 63n); break;
        case 0x87: r[d] = -r[d]!; break;
        case 0x9f:
          if (r[s] === 0n) break;
          if (offset[at] === 0) r[d] = r[d]! % r[s]!;
          else i64[d] = i64[d]! % i64[s]!;
          break;
        case 0xaf: r[d] = r[d]! ^ r[s]!; break;
        case 0xbf:
          if (offset[at] === 0) r[d] = r[s]!;
          else i64[d] = BigInt(signExtended(w[sl]!, offset[at]!));
          break;
        case 0xcf: i64[d] = i64[d]! >> (r[s]! & 63n); break;

        // Section 4.1, 32 bits: the high half of the result is zero. JavaScript's shifts use the low 5 bits of the count.
        case 0x0c: w[dl] = w[dl]! + w[sl]!; w[dl + 1] = 0; break;
        case 0x1c: w[dl] = w[dl]! - w[sl]!; w[dl + 1] = 0; break;
        case 0x2c: w[dl] = Math.imul(w[dl]!, w[sl]!); w[dl + 1] = 0; break;
        case 0x3c:
          if (w[sl] === 0) w[dl] = 0;
          else w[dl] = offset[at] === 0 ? w[dl]! / w[sl]! : i32[dl]! / i32[sl]!;
          w[dl + 1] = 0;
          break;
        case 0x4c: w[dl] = w[dl]! | w[sl]!; w[dl + 1] = 0; break;
        case 0x5c: w[dl] = w[dl]! & w[sl]!; w[dl + 1] = 0; break;
        case 0x6c: w[dl] = w[dl]! << w[sl]!; w[dl + 1] = 0; break;
        case 0x7c: w[dl] = w[dl]! >>> w[sl]!; w[dl + 1] = 0; break;
        case 0x84: w[dl] = -w[dl]!; w[dl + 1] = 0; break;
        case 0x9c:
          if (w[sl] !== 0) w[dl] = offset[at] === 0 ? w[dl]! % w[sl]! : i32[dl]! % i32[sl]!;
          w[dl + 1] = 0;
          break;
        case 0xac: w[dl] = w[dl]! ^ w[sl]!; w[dl + 1] = 0; break;
        case 0xbc: w[dl] = offset[at] === 0 ? w[sl]! : signExtended(w[sl]!, offset[at]!); w[dl + 1] = 0; break;
        case 0xcc: w[dl] = i32[dl]! >> w[sl]!; w[dl + 1] = 0; break;

        // Section 4.2: on a little-endian machine, `le` only cuts to the width; `be` and `bswap` are one.
        case 0xd4: cut(w, dl, offset[at]!); break;
        case 0xd7: case 0xdc: swap(w, dl, offset[at]!); break;

        // Section 4.3, 64 bits and 32 bits.
        case 0x05: case 0x06: pc = offset[at]!; break;
        case 0x1d: if (r[d]! === r[s]!) pc = offset[at]!; break;
        case 0x2d: if (r[d]! > r[s]!) pc = offset[at]!; break;
        case 0x3d: if (r[d]! >= r[s]!) pc = offset[at]!; break;
        case 0x4d: if ((r[d]! & r[s]!) !== 0n) pc = offset[at]!; break;
        case 0x5d: if (r[d]! !== r[s]!) pc = offset[at]!; break;
        case 0x6d: if (i64[d]! > i64[s]!) pc = offset[at]!; break;
        case 0x7d: if (i64[d]! >= i64[s]!) pc = offset[at]!; break;
        case 0xad: if (r[d]! < r[s]!) pc = offset[at]!; break;
        case 0xbd: if (r[d]! <= r[s]!) pc = offset[at]!; break;
        case 0xcd: if (i64[d]! < i64[s]!) pc = offset[at]!; break;
        case 0xdd: if (i64[d]! <= i64[s]!) pc = offset[at]!; break;
        case 0x1e: if (w[dl]! === w[sl]!) pc = offset[at]!; break;
        case 0x2e: if (w[dl]! > w[sl]!) pc = offset[at]!; break;
        case 0x3e: if (w[dl]! >= w[sl]!) pc = offset[at]!; break;
        case 0x4e: if ((w[dl]! & w[sl]!) !== 0) pc = offset[at]!; break;
        case 0x5e: if (w[dl]! !== w[sl]!) pc = offset[at]!; break;
        case 0x6e: if (i32[dl]! > i32[sl]!) pc = offset[at]!; break;
        case 0x7e: if (i32[dl]! >= i32[sl]!) pc = offset[at]!; break;
        case 0xae: if (w[dl]! < w[sl]!) pc = offset[at]!; break;
        case 0xbe: if (w[dl]! <= w[sl]!) pc = offset[at]!; break;
        case 0xce: if (i32[dl]! < i32[sl]!) pc = offset[at]!; break;
        case 0xde: if (i32[dl]! <= i32[sl]!) pc = offset[at]!; break;

        // Section 5: loads, sign-extending loads, stores, and the immediate of 64 bits, which takes two slots.
        case 0x61: w[dl] = view.getUint32(address(run, s, offset[at]!, 4, false, at), true); w[dl + 1] = 0; break;
        case 0x69: w[dl] = view.getUint16(address(run, s, offset[at]!, 2, false, at), true); w[dl + 1] = 0; break;
        case 0x71: w[dl] = u8[address(run, s, offset[at]!, 1, false, at)]!; w[dl + 1] = 0; break;
        case 0x79: r[d] = view.getBigUint64(address(run, s, offset[at]!, 8, false, at), true); break;
        case 0x81: i64[d] = BigInt(view.getInt32(address(run, s, offset[at]!, 4, false, at), true)); break;
        case 0x89: i64[d] = BigInt(view.getInt16(address(run, s, offset[at]!, 2, false, at), true)); break;
        case 0x91: i64[d] = BigInt(view.getInt8(address(run, s, offset[at]!, 1, false, at))); break;
        case 0x63: view.setUint32(address(run, d, offset[at]!, 4, true, at), w[sl]!, true); break;
        case 0x6b: view.setUint16(address(run, d, offset[at]!, 2, true, at), w[sl]!, true); break;
        case 0x73: u8[address(run, d, offset[at]!, 1, true, at)] = w[sl]!; break;
        case 0x7b: view.setBigUint64(address(run, d, offset[at]!, 8, true, at), r[s]!, true); break;
        case 0x18: r[d] = r[s]!; pc++; break;

        default: {
          const step = code.steps[at];
          if (step === undefined) throw ENDINGS.outOfRange(at);
          run.fuel += left;
          left = 0;
          pc = step();
          if (pc === END) return;
          if (run.code !== code) {
            code = run.code!;
            ({ opcode, dst, src, offset } = code);
          }
        }
      }
    }
  } finally {
    run.fuel += left;
  }
}

/**
 * Where a run begins, behind each step, and before each instruction that is observed: takes from the fuel what may run
 * until it is called again.
 */
function lookAround(run: Run, pc: number): number {
  const { code, observe, packet } = run;
  if (run.fuel <= 0) throw ENDINGS.budget(pc, run.budget);
  run.packetStart = packet.start;
  run.packetEnd = packet.end;
  if (observe !== undefined && pc in code!.opcode) observe(code!.program, pc, run.depth, run.registers.r);
  const taken = observe === undefined ? run.fuel : 1;
  run.fuel -= taken;
  return taken;
}

/** The address `register + offset` of `size` bytes that the program may read (or write), or a `RunError`. */
export function address(run: Run, register: number, offset: number, size: number, write: boolean, pc: number): number {
  const { w } = run.registers;
  const low = w[2 * register]! + offset;
  const high = w[2 * register + 1]!;
  if (high === 0) {
    if (low >= run.packetStart && low + size <= run.packetEnd) return low;
    const region = run.memory.regionOf(low, size);
    if (region !== undefined && (!write || region.writable)) return low;
  }
  // Exact: a register is below 2^64, and what matters is whether the sum is a 32-bit address.
  return reach(run.memory, high * 0x1_0000_0000 + low, size, write, pc);
}
