import { CaptureError, LoadError, OptionError } from '../base/errors.ts';
import { ProgramRefused } from '../engine/refused.ts';
import type { ReplayFailure } from './worker-protocol.ts';

/** An error as plain data. What is not known to be the user's is ours, and says so. */
export function failureOf(error: unknown): ReplayFailure {
  if (error instanceof LoadError || error instanceof CaptureError) {
    return { name: error.name, code: error.detail.code, message: error.message };
  }
  if (error instanceof OptionError) return { name: error.name, code: error.code, message: error.message };
  if (error instanceof ProgramRefused) return { name: error.name, code: error.refusal.code, message: error.message };
  const { code } = error as { code?: unknown };
  if (typeof code === 'string') return { name: 'SystemError', code, message: (error as Error).message };
  return { name: 'InternalError', code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
