import type { Refusal } from '../abi/verdict.ts';

/** Thrown where a caller asks to run a program that the verifier refused. The refusal itself is a value. */
export class ProgramRefused extends Error {
  override readonly name = 'ProgramRefused';
  readonly program: string;
  readonly refusal: Refusal;

  constructor(program: string, refusal: Refusal) {
    const where = refusal.pc === null ? '' : ` at instruction ${refusal.pc}`;
    const source = refusal.line === null ? '' : ` (${refusal.line.file}:${refusal.line.line})`;
    super(
      `program ${program} is refused${where}${source}: ${refusal.message}${refusal.help === null ? '' : `. ${refusal.help}`}`,
    );
    this.program = program;
    this.refusal = refusal;
  }
}
