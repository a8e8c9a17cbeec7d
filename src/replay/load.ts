import { readFileSync } from 'node:fs';
import { decodeUtf8 } from '../base/bytes.ts';
import { Instance, type InstanceOptions } from '../engine/instance.ts';
import { Pipeline, type PipelineOptions, type Stage } from '../engine/pipeline.ts';
import { selectProgram } from '../engine/programs.ts';
import { type AssemblyObjectOptions, assembleObject, readObject } from '../engine/read-object.ts';
import type { ObjectSpec } from '../object/spec.ts';
import type { Subject } from './subject.ts';

/** A program as it lies in a file. */
interface ProgramFile {
  /** Path of the object. */
  readonly object: string;
  /** Given where the object is assembly text: what that text does not say of itself. */
  readonly assembly?: AssemblyObjectOptions;
}

/** A program of a pipeline as it lies in a file. */
export interface StageFile extends Omit<Stage, 'object'>, ProgramFile {}

/** What frames are to run through: files, not bytes, as nothing big is copied between threads. */
export interface SubjectFiles extends ProgramFile {
  /** Programs that stand behind it, where it is the first of a pipeline. */
  readonly stages?: readonly StageFile[] | undefined;
  readonly options: InstanceOptions & Pick<PipelineOptions, 'tcEgressAfterXdp'>;
}

/** Throws `LoadError`, `OptionError`, `ProgramRefused`, or the file system's error. */
export function loadSubject({ options, stages, ...first }: SubjectFiles): Subject {
  const { program, type } = options;
  if (stages === undefined) return new Instance(readObjectOf(first), options);
  const objects = objectsOf({ ...first, stages, program });
  const all = [{ program, type }, ...stages].map((stage, index) => ({ ...stage, object: objects[index]!.object }));
  return new Pipeline(all, options);
}

interface LoadedObject {
  readonly object: ObjectSpec;
  /** The program that runs. */
  readonly program: string;
}

/**
 * The objects of some programs, one after the other; those of one file are the same. Throws `LoadError`, `OptionError`,
 * or the file system's error.
 */
export function objectsOf({
  stages = [],
  ...first
}: Pick<SubjectFiles, 'object' | 'assembly' | 'stages'> & Pick<Stage, 'program'>): LoadedObject[] {
  const known = new Map<string, ObjectSpec>();
  return [first, ...stages].map((file) => {
    const object = known.get(file.object) ?? readObjectOf(file);
    known.set(file.object, object);
    return { object, program: selectProgram(object, file.program).name };
  });
}

function readObjectOf({ object, assembly }: ProgramFile): ObjectSpec {
  const bytes = readFileSync(object);
  return assembly === undefined ? readObject(bytes) : assembleObject(decodeUtf8(bytes), assembly);
}
