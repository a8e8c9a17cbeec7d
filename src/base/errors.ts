/**
 * Errors by cause. A `LoadError` is a bad object, a `CaptureError` a bad capture, an `OptionError` a request that
 * cannot be served as asked; an `InvariantError` is our own bug. Each message says what, where and what would help.
 */

/** The stages an object passes on its way to being runnable; a `LoadError` names the one that stopped it. */
export type LoadStage = 'elf' | 'btf' | 'maps' | 'link' | 'relocate' | 'core' | 'decode' | 'assemble' | 'create';

export interface LoadErrorDetail {
  /** Stable, machine-readable: lower case words with dashes, for example `section-out-of-bounds`. */
  readonly code: string;
  readonly stage: LoadStage;
  /** The section in which the fault lies, where there is one. */
  readonly section?: string;
  /** Byte offset in the section (or in the file, when no section is named). */
  readonly offset?: number;
  /** Line of the assembly text, from 1. */
  readonly line?: number;
  /** One sentence on what would make it right. */
  readonly help?: string;
}

/** A bad object file. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly detail: LoadErrorDetail;

  constructor(message: string, detail: LoadErrorDetail) {
    const place =
      (detail.section === undefined ? '' : ` in section ${detail.section}`) +
      (detail.offset === undefined ? '' : ` at offset 0x${detail.offset.toString(16)}`) +
      (detail.line === undefined ? '' : ` in line ${detail.line}`);
    super(`${detail.stage}: ${message}${place}${detail.help === undefined ? '' : `. ${detail.help}`}`);
    this.detail = detail;
  }
}

export interface CaptureErrorDetail {
  /** Stable, machine-readable, for example `record-too-long`. */
  readonly code: string;
  /** Byte offset in the capture of the header or block at fault. */
  readonly offset: number;
  /** Index of the first packet that could not be read; all before it were good. */
  readonly packet: number;
  readonly help?: string;
}

/** A bad capture. Frames read before it are good and stay counted. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  readonly detail: CaptureErrorDetail;

  constructor(message: string, detail: CaptureErrorDetail) {
    super(
      `capture: ${message} at offset ${detail.offset}, after ${detail.packet} good packets` +
        (detail.help === undefined ? '' : `. ${detail.help}`),
    );
    this.detail = detail;
  }
}

/** A request that cannot be served as asked: an unknown program name, a bound exceeded, a malformed map entry. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
  /** Stable, machine-readable, for example `no-such-program`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Our own bug. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** States what must hold; where it does not, the job at hand fails and the daemon goes on. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
