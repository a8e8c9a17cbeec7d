import { functionAt } from '../../program/program.ts';
import type { Verification } from './verification.ts';

/** MAX_BPF_STACK of Linux: what all frames of a chain of calls have together. */
const MOST_STACK = 512;
/** Before a function with a tail call, the stack may have no more than this. */
const MOST_BEFORE_TAIL_CALL = 256;
/** The JIT of x86-64 lays frames out in units of this. */
const UNIT = 16;
const TAIL_CALL = 12;

/** Whether every chain of calls fits the stack. Recursion was refused before. */
export function checkStackDepth(v: Verification): boolean {
  const { program } = v;
  const callsOf = new Map<number, number[]>();
  const tailCalls = new Set<number>();
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction?.kind !== 'call' && instruction?.kind !== 'imm64') continue;
    const start = functionAt(program, pc)!.start;
    const callee =
      instruction.kind === 'imm64'
        ? instruction.value.type === 'function'
          ? instruction.value.pc
          : undefined
        : instruction.target.type === 'local'
          ? instruction.target.pc
          : undefined;
    if (callee !== undefined) callsOf.set(start, [...(callsOf.get(start) ?? []), callee]);
    else if (
      instruction.kind === 'call' &&
      instruction.target.type === 'helper' &&
      instruction.target.id === TAIL_CALL
    ) {
      tailCalls.add(start);
    }
  }
  const round = (bytes: number) => Math.ceil(bytes / UNIT) * UNIT;
  const open: { start: number; before: number }[] = [{ start: 0, before: 0 }];
  /** Depth at which a function was last walked; less brings nothing new. */
  const deepest = new Map<number, number>();
  for (let each = open.pop(); each !== undefined; each = open.pop()) {
    const { start, before } = each;
    if (tailCalls.has(start) && before >= MOST_BEFORE_TAIL_CALL) {
      return v.refuseWhole(
        'stack-overflow',
        `${v.functionName(start)} makes a tail call with ${before} bytes of stack in use before it`,
      );
    }
    const depth = before + round(v.stackDepth.get(start) ?? 0);
    if (depth > MOST_STACK) {
      return v.refuseWhole(
        'stack-overflow',
        `the frames down to ${v.functionName(start)} need ${depth} bytes of stack; there are ${MOST_STACK}`,
        'Keep large data in a map',
      );
    }
    if ((deepest.get(start) ?? -1) >= depth) continue;
    deepest.set(start, depth);
    for (const callee of callsOf.get(start) ?? []) open.push({ start: callee, before: depth });
  }
  return true;
}
