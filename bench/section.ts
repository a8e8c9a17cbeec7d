import type { Linux } from './linux.ts';
import type { Findings } from './report.ts';

/** Scale of what is still worth looking at. */
export const QUICK = 0.15;
/** Scale of what only shows that it works. */
export const SMOKE = 0.01;

/** All of them where something is measured, the first where only that it works is to be seen. */
export function some<T>(all: readonly T[], { scale }: Pick<Settings, 'scale'>): readonly T[] {
  return scale < QUICK ? all.slice(0, 1) : all;
}

/** What every section is told. */
export interface Settings {
  /** Rounds that are kept. */
  readonly rounds: number;
  /** 1; less for a look, or for a test: how long, how large, how many. */
  readonly scale: number;
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
