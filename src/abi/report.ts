/**
 * A refusal told in full: what is wrong, where, how the program came there, and what would help. Plain data; the
 * sentences are for people and may change, codes and the names of fields do not.
 */
export interface Report {
  readonly program: string;
  /** libbpf's name of the program's type. */
  readonly type: string;
  readonly code: string;
  /** What kind of rule was broken: `memory`, `registers`, `helpers`, `control flow` … */
  readonly category: string;
  /** The code in a few words. */
  readonly title: string;
  /** One sentence: what is wrong here. */
  readonly reason: string;
  /** One sentence: why there is such a rule. */
  readonly rule: string;
  /** What would make it right. */
  readonly help: string | null;
  /** Null where the program as a whole is at fault. */
  readonly at: Place | null;
  /** The registers at fault, as they are before the instruction. */
  readonly registers: readonly ReportedRegister[];
  /**
   * In the order of the path: what made those registers what they are, and which way was taken at branches. Of a stack
   * that is too small, the chain of calls.
   */
  readonly path: readonly PathLine[];
  /** Instructions on the path, from the start of the function that was followed; 0 where there is none. */
  readonly pathLength: number;
  /** Where most of the work went; only where the limit of work was reached. */
  readonly busiest: readonly BusyPlace[];
}

/** An instruction, and the source line that it came from where the object tells. */
export interface Place {
  /** In 8-byte slots. */
  readonly pc: number;
  readonly instruction: string;
  readonly function: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  /** The source line as it is in the file. */
  readonly source: string | null;
}

export interface ReportedRegister {
  /** `r0` … `r10`, or `r10-8` for a place on the stack. */
  readonly name: string;
  readonly state: string;
}

export interface PathLine {
  readonly place: Place;
  /** What happened there, in the order of the instructions of that source line. */
  readonly events: readonly PathEvent[];
  /** Instructions of the path between this line and the one before that are not shown. */
  readonly skipped: number;
  /** How often the path passed this line with something to tell; the last time is told. */
  readonly times: number;
}

export interface PathEvent {
  readonly pc: number;
  readonly instruction: string;
  /** `write`: the instruction wrote the register. `learn`: a branch told more about it. `branch`: which way was taken. `effect`: a call changed it. */
  readonly kind: 'write' | 'learn' | 'branch' | 'effect';
  readonly text: string;
}

export interface BusyPlace {
  readonly place: Place;
  /** How often instructions of that source line were followed, over all paths. */
  readonly followed: number;
}
