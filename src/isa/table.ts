import type { Row } from './row.ts';
import { atomics, memory, packetLoads, wideImmediates } from './rows-memory.ts';
import { arithmetic, byteSwaps, calls, jumps } from './rows-operations.ts';

/**
 * The one table of the instruction set: each row is an opcode, the values of `off`, `imm` or `src` that select it among
 * the rows of the same opcode, the fields it uses, and how its fields and its identity follow from one another. Decoding
 * and encoding both read it, so that neither can know an instruction which the other does not.
 */
export const TABLE: readonly Row[] = [
  ...arithmetic(),
  ...byteSwaps(),
  ...jumps(),
  ...calls(),
  ...memory(),
  ...atomics(),
  ...packetLoads(),
  ...wideImmediates(),
];
