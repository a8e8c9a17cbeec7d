import { helperName } from '../../abi/helper-names.ts';
import { Instance, type InstanceOptions, type PacketResult } from '../../engine/instance.ts';
import type { MapSpec, ObjectSpec } from '../../object/spec.ts';
import { programFromAssembly } from '../../program/program.ts';

/** For tests: a program in assembly text, and what it runs on. */
export interface Question {
  /** libbpf's name of the program type; `xdp` unless told. */
  readonly type?: string;
  readonly text: string;
  readonly maps?: readonly MapSpec[];
  /** An Ethernet frame; 98 bytes unless told. */
  readonly frame?: Uint8Array;
  readonly options?: InstanceOptions;
}

/** An Ethernet frame of a local experimental EtherType: test-run looks at nothing behind its header. */
export function frameOf(size: number): Uint8Array {
  const frame = Uint8Array.from({ length: size }, (_, i) => (i * 37 + (i >> 8)) & 0xff);
  frame.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5]);
  return frame;
}

/** Wire bytes of the program. */
export function assembleQuestion({ type = 'xdp', text, maps = [] }: Question): Uint8Array {
  return programFromAssembly(text, { type, maps, helper: (id) => `bpf_${helperName(id)}` }).bytes;
}

export function instanceOf(question: Question): Instance {
  const { type = 'xdp', maps = [], options = {} } = question;
  const program = { name: 'program', section: '', attachType: null, frags: false, sleepable: false, autoload: true };
  const object: ObjectSpec = {
    license: 'GPL',
    programs: [{ ...program, type, instructions: assembleQuestion(question), functions: [], lines: [] }],
    maps,
    btf: null,
    kernelSymbols: [],
    relocations: [],
  };
  return new Instance(object, options);
}

export interface Asked {
  readonly instance: Instance;
  readonly result: PacketResult;
  readonly out: Uint8Array;
}

/** Runs the program once. Throws the run's error, if it ended in one. */
export function ask(question: Question): Asked {
  return askOf(instanceOf(question), question.frame);
}

/** Runs an instance's program on one more frame. Throws the run's error, if it ended in one. */
export function askOf(instance: Instance, frame = frameOf(98)): Asked {
  const input = { bytes: frame, start: 0, end: frame.length, originalLength: frame.length, seconds: 0, nanoseconds: 0 };
  const result = instance.runPacket(input);
  if (result.error !== null) throw result.error;
  return { instance, result, out: instance.memory.u8.slice(result.outStart, result.outEnd) };
}

/** The return value, signed. */
export function answer(question: Question | string): number {
  return ask(typeof question === 'string' ? { text: question } : question).result.retval | 0;
}
