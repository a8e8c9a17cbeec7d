import type { LineInfo } from '../object/spec.ts';
import type { Facts } from './facts.ts';

/** The verifier's decision. A refusal is a value, never thrown. */
export type Verdict = Accepted | Refused;

interface Accepted {
  readonly accepted: true;
  /** Instructions followed over all paths, as Linux counts them. */
  readonly processed: number;
  readonly facts: Facts;
}

interface Refused {
  readonly accepted: false;
  readonly refusal: Refusal;
  /** As above; absent where the program is refused before any path is followed. */
  readonly processed?: number;
}

export interface Refusal {
  /** Stable, machine-readable, for example `unreachable-instruction`. */
  readonly code: string;
  /** pc in 8-byte slots, null where the program as a whole is at fault. */
  readonly pc: number | null;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** One sentence: what would make it right. */
  readonly help: string | null;
  readonly line: LineInfo | null;
}
