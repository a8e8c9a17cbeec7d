import type { Catalogue } from '../../abi/catalogue.ts';
import type { Helper } from '../../abi/helper.ts';
import { functionAt, functionNamed, type Program } from '../../program/program.ts';

/** A program that is called last may do whatever moves the packet, and then return here in error. */
export function changesPacket({ name, prototype }: Helper): boolean {
  return prototype.changesPacket === true || name === 'tail_call';
}

/** Starts of the functions that call a helper that may move the packet, themselves or through others. */
export function functionsThatChangePackets(program: Program, catalogue: Catalogue): ReadonlySet<number> {
  const changing = new Set<number>();
  const callers = new Map<number, Set<number>>();
  for (const [pc, instruction] of program.instructions.entries()) {
    if (instruction === undefined) continue;
    const { start } = functionAt(program, pc)!;
    if (instruction.kind === 'call' && instruction.target.type === 'helper') {
      const helper = catalogue.helpers.get(instruction.target.id);
      if (helper !== undefined && changesPacket(helper)) changing.add(start);
    }
    if (instruction.kind === 'call' && instruction.target.type === 'kfunc') {
      const kfunc = catalogue.kfuncs.get(program.kernelSymbols[instruction.target.btfId]?.name ?? '');
      if (kfunc?.effects.includes('changes-packet') === true) changing.add(start);
    }
    const callee = functionNamed(instruction);
    if (callee === undefined) continue;
    if (!callers.has(callee)) callers.set(callee, new Set());
    callers.get(callee)!.add(start);
  }
  const open = [...changing];
  for (let start = open.pop(); start !== undefined; start = open.pop()) {
    for (const caller of callers.get(start) ?? []) {
      if (changing.has(caller)) continue;
      changing.add(caller);
      open.push(caller);
    }
  }
  return changing;
}
