import { existsSync, readFileSync } from 'node:fs';
import { LoadError } from '../../src/base/errors.ts';
import { verifyProgram } from '../../src/engine/programs.ts';
import { parseBtf } from '../../src/object/btf/btf.ts';
import { loadObject } from '../../src/object/object.ts';
import type { ObjectSpec } from '../../src/object/spec.ts';
import type { PeerObject } from './groups.ts';

export interface OurVerdict {
  readonly accepted: boolean;
  /** Refusal's code, or `load: CODE` where the object or the program could not be read. */
  readonly code: string | null;
  readonly pc: number | null;
  readonly message: string;
  /** Slots of the linked program; null where it could not be read. */
  readonly instructions: number | null;
  /** Instructions walked; null where the verifier does not count. */
  readonly processed: number | null;
  readonly microseconds: number;
}

const KERNEL_BTF = '/sys/kernel/btf/vmlinux';
/** What libbpf resolves CO-RE against. */
const kernelBtf = existsSync(KERNEL_BTF) ? parseBtf(readFileSync(KERNEL_BTF)) : undefined;

/** Our verdict on each program of the object, by name. A crash of the verifier is a verdict too: code `crash`. */
export function askOurs(object: PeerObject): (program: string, type: string) => OurVerdict {
  let spec: ObjectSpec;
  try {
    spec = loadObject(readFileSync(object.path), kernelBtf === undefined ? {} : { targetBtf: kernelBtf });
  } catch (error) {
    const failed = failure(error);
    return () => failed;
  }
  return (name, type) => {
    const program = spec.programs.find((candidate) => candidate.name === name);
    if (program === undefined) return failure(new Error(`the object has no program ${name}`));
    const begin = performance.now();
    try {
      const { verdict } = verifyProgram(spec, program, program.type === null ? type : undefined);
      const stats: { processed?: number } = verdict as object;
      return {
        accepted: verdict.accepted,
        code: verdict.accepted ? null : verdict.refusal.code,
        pc: verdict.accepted ? null : verdict.refusal.pc,
        message: verdict.accepted ? '' : verdict.refusal.message,
        instructions: program.instructions.length / 8,
        processed: stats.processed ?? null,
        microseconds: Math.round((performance.now() - begin) * 1000),
      };
    } catch (error) {
      return { ...failure(error), instructions: program.instructions.length / 8 };
    }
  };
}

function failure(error: unknown): OurVerdict {
  const known = error instanceof LoadError;
  return {
    accepted: false,
    code: known ? `load: ${error.detail.code}` : 'crash',
    pc: null,
    message: known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error),
    instructions: null,
    processed: null,
    microseconds: 0,
  };
}
