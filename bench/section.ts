import type { Linux } from './linux.ts';
import type { Findings } from './report.ts';

/** What every section is told. */
export interface Settings {
  /** Rounds that are kept. */
  readonly rounds: number;
  /** For a look, or a test: everything is much smaller. */
  readonly quick: boolean;
  /** Linux, or why it cannot be asked. */
  readonly linux: Linux | string;
  /** Path of a built `ubpf_test`. */
  readonly ubpf: string | undefined;
}

export interface Section {
  /** As `--only` names it. */
  readonly letter: string;
  readonly title: string;
  measure(settings: Settings): Promise<Findings>;
}
