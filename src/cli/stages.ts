import { type Hook, type ObjectSpec, OptionError, readObjectFile, type Stage } from '../index.ts';
import type { ObjectOptions } from './object.ts';

/** Programs that stand behind the first: `OBJECT` or `OBJECT:PROGRAM`, each in the order in which it was named. */
export interface StageOptions {
  readonly tcIngress?: readonly string[];
  readonly tcEgress?: readonly string[];
}

/** Gathers the values of an option that may come several times. */
export function gather(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** The stages of a pipeline; undefined where there is but one program. Throws as `readObjectFile` does. */
export function stagesOf(
  first: {
    readonly path: string;
    readonly object: ObjectSpec;
    readonly program?: string | undefined;
    readonly type?: string | undefined;
  },
  { tcIngress = [], tcEgress = [] }: StageOptions,
  { btf }: ObjectOptions,
): Stage[] | undefined {
  if (tcIngress.length + tcEgress.length === 0) return undefined;
  // Programs of one file are of one object, and share its maps.
  const objects = new Map([[first.path, first.object]]);
  const read = (path: string) => {
    const object = objects.get(path) ?? readObjectFile({ object: path, btf });
    objects.set(path, object);
    return object;
  };
  const stage =
    (hook: Hook) =>
    (name: string): Stage => {
      const [, path, program] = /^(.+?)(?::([\w.]+))?$/.exec(name) ?? [];
      if (path === undefined)
        throw new OptionError('bad-option', `--${hook} takes OBJECT or OBJECT:PROGRAM, not "${name}"`);
      return { object: read(path), program, hook };
    };
  const { object, program, type } = first;
  return [{ object, program, type }, ...tcIngress.map(stage('tc-ingress')), ...tcEgress.map(stage('tc-egress'))];
}
