import { CaptureError, InvariantError, LoadError, OptionError } from '../base/errors.ts';
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

const CLASSES = { LoadError, CaptureError, OptionError, ProgramRefused, InvariantError };

/** An error on its way to another thread. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** What it says beside that: the detail of ours, and the code, call and path of the system's. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error), stack: undefined, fields: {} };
  const { name, message, stack } = error;
  const isKnown = name in CLASSES || 'syscall' in error;
  return { name, message, stack, fields: isKnown ? { ...error } : {} };
}

/** The error as it was thrown, of its own class. */
export function unpackError({ name, message, stack, fields }: PackedError): Error {
  const known: { readonly prototype: Error } | undefined = CLASSES[name as keyof typeof CLASSES];
  const error = Object.setPrototypeOf(new Error(message), (known ?? Error).prototype) as Error;
  return Object.assign(error, { name, ...fields }, stack === undefined ? {} : { stack });
}
