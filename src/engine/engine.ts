import type { Runner } from '../abi/runner.ts';
import { OptionError } from '../base/errors.ts';
import { Interpreter, type InterpreterOptions, type StepObserver } from '../runtime/interpreter/interpreter.ts';
import type { JitOptions } from '../runtime/jit/environment.ts';
import { Jit } from '../runtime/jit/jit.ts';

export type Engine = 'interpreter' | 'jit';

export interface EngineOptions {
  readonly verify: boolean;
  /** Where it is left open, the JIT runs programs that were verified, and the interpreter all others. */
  readonly engine?: Engine | undefined;
  readonly sanitize: boolean;
  readonly observe?: StepObserver | undefined;
}

type Parts = Omit<InterpreterOptions, 'observe'> & Omit<JitOptions, 'sanitize'>;

/** What runs programs: `jit` is the same where it is one. Throws `OptionError`. */
export function makeRunner(
  parts: Parts,
  { verify, engine, sanitize, observe }: EngineOptions,
): { readonly runner: Runner; readonly jit: Jit | undefined } {
  const interpreter = () => ({
    runner: new Interpreter({ ...parts, ...(observe === undefined ? {} : { observe }) }),
    jit: undefined,
  });
  if (engine === 'interpreter') return interpreter();
  if (engine === undefined && (observe !== undefined || !verify)) return interpreter();
  if (observe !== undefined) throw new OptionError('bad-option', 'only the interpreter can be observed step by step');
  try {
    const jit = new Jit({ ...parts, sanitize: sanitize || !verify });
    return { runner: jit, jit };
  } catch (error) {
    const isTooLarge = error instanceof OptionError && error.code === 'program-too-large';
    if (engine === undefined && isTooLarge) return interpreter();
    throw error;
  }
}
