import type { Catalogue } from '../../abi/catalogue.ts';
import { disassemble } from '../../isa/disassemble.ts';
import { lineAt, type Program } from '../../program/program.ts';
import { isPacket, type Register } from '../state/register.ts';
import { FRAME_POINTER } from '../state/state.ts';
import type { Trail } from '../state/trail.ts';
import type { Observer } from '../walk/verification.ts';
import { recorder } from './recorder.ts';
import { namesOf } from './report.ts';
import { nameState, rangeOf } from './states.ts';

/** Writes every instruction that is followed, and what it changed, line by line as the verifier goes. */
export function stateLog(program: Program, catalogue: Catalogue, write: (line: string) => void): Observer {
  const { observer, last } = recorder();
  const names = namesOf(program, catalogue);
  let before: Trail | null = null;
  return (pc, frame, registers, state) => {
    observer(pc, frame, registers, state);
    const now = last()!;
    if (before !== null && now.parent !== before) {
      write(now.parent === null ? '-- a function on its own' : `-- the other way of instruction ${now.parent.pc}`);
    }
    if (now.parent !== null) for (const line of changes(now.parent, now)) write(`            ${line}`);
    const line = lineAt(program, pc);
    if (line !== undefined && line.pc === pc) write(`; ${line.file}:${line.line}  ${line.text.trim()}`);
    const text = disassemble(program.instructions[pc]!, pc, names);
    write(`${`${pc}:`.padStart(7)}${'  '.repeat(now.frames.length)}${text}`);
    before = now;
  };
}

function changes(before: Trail, after: Trail): string[] {
  const top = after.frames.length - 1;
  const was = before.frames[top];
  const is = after.frames[top]!;
  const lines: string[] = [];
  for (let i = 0; i < FRAME_POINTER; i++) {
    const now = is.registers[i]!;
    const old = was?.registers[i];
    if (old === now || (old === undefined && now.kind === 'unset')) continue;
    const told = tell(now);
    // What only goes by another id reads the same.
    if (old === undefined || tell(old) !== told) lines.push(`r${i} = ${told}`);
  }
  for (const [i, slot] of is.slots.entries()) {
    if (slot === was?.slots[i]) continue;
    lines.push(`r10-${8 * (i + 1)} = ${slot.spilled === null ? 'bytes' : nameState(slot.spilled)}`);
  }
  return lines;
}

function tell(register: Register): string {
  return isPacket(register) ? `${nameState(register)}; ${rangeOf(register)}` : nameState(register);
}
