/**
 * The log ends at the instruction that was being walked; where Linux stops before it walks (jumps, reachability) or at
 * the head of a loop, only its sentence names the instruction.
 */
export function failingPc(insn: number, reason: string): number | null {
  const named = /(?:^unreachable|from|^infinite loop detected at) insn (\d+)/.exec(reason);
  if (named !== null) return Number(named[1]);
  return insn < 0 ? null : insn;
}
