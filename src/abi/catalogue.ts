import type { Helper } from './helper.ts';
import type { MapType } from './map.ts';
import type { ProgramType } from './program-type.ts';

/** Everything the verifier and the runners may know of helpers, maps and program types; the engine makes it. */
export interface Catalogue {
  readonly helpers: ReadonlyMap<number, Helper>;
  readonly mapTypes: ReadonlyMap<number, MapType>;
  readonly programTypes: ReadonlyMap<string, ProgramType>;
}
