import type { Instance } from '../engine/instance.ts';
import type { StageTally } from '../engine/pipeline.ts';

/** What the frames of a capture run through: an instance, or a pipeline of several. */
export type Subject = Pick<
  Instance,
  | 'memory'
  | 'packet'
  | 'programType'
  | 'context'
  | 'cpus'
  | 'cpu'
  | 'executed'
  | 'events'
  | 'traces'
  | 'emitted'
  | 'hasRingBuffers'
  | 'runPacket'
  | 'watch'
  | 'desk'
  | 'dumpMaps'
> & {
  readonly program: Pick<Instance['program'], 'name' | 'type'>;
  /** A packet that another thread runs. */
  readonly pass?: Instance['pass'];
  /** What each program of a pipeline did. */
  readonly stages?: readonly StageTally[];
};
