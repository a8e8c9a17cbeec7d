import type { PathLine, Place } from '../../abi/report.ts';
import { functionAt, type Program } from '../../program/program.ts';
import type { Observer } from '../walk/verification.ts';

/** Bytes in one stack slot. */
const SLOT = 8;

interface Call {
  readonly start: number;
  readonly callsite: number;
}

/** Which chain of calls needs most stack, and what each function of it uses. */
export interface StackUse {
  readonly observer: Observer;
  lines(program: Program, placeOf: (pc: number) => Place): PathLine[];
}

export function stackUse(): StackUse {
  const used = new Map<number, number>();
  const chains = new Map<string, readonly Call[]>();
  const bytesOf = ({ start }: Call): number => used.get(start) ?? 0;
  const need = (chain: readonly Call[]): number => chain.reduce((sum, call) => sum + bytesOf(call), 0);
  return {
    observer: (_pc, _frame, _registers, { frames }) => {
      for (const { start, slots } of frames) used.set(start, Math.max(used.get(start) ?? 0, SLOT * slots.length));
      const key = frames.map(({ callsite }) => callsite).join(' ');
      if (!chains.has(key))
        chains.set(
          key,
          frames.map(({ start, callsite }) => ({ start, callsite })),
        );
    },
    lines: (program, placeOf) => {
      const [deepest] = [...chains.values()].sort((a, b) => need(b) - need(a));
      return (deepest ?? []).map((call, depth) => {
        const pc = depth === 0 ? call.start : call.callsite;
        const name = functionAt(program, call.start)?.name ?? program.name;
        const text = `${name} uses ${bytesOf(call)} bytes of stack`;
        const place = placeOf(pc);
        const { instruction } = place;
        return { place, skipped: 0, times: 1, events: [{ pc, instruction, kind: 'effect', text }] };
      });
    },
  };
}
