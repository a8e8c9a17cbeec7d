import { joinMaps } from '../index.ts';
import type { MapRecord } from './contract/maps.ts';
import type { NewReplay } from './contract/replays.ts';
import { findEntry } from './entries.ts';
import { Problem } from './problems.ts';
import type { Store } from './store.ts';

/** What says which programs run. */
export type ProgramsWanted = Pick<NewReplay, 'program' | 'entry' | 'type' | 'pipeline'>;

/** The programs of a request: the first, and those that stand behind it. */
export function programsOf({ pipeline = [], ...first }: ProgramsWanted) {
  return [first, ...pipeline];
}

/** The maps that the programs of a request have on their host. Throws a `Problem`. */
export async function mapsOf(store: Pick<Store, 'programs'>, request: ProgramsWanted): Promise<readonly MapRecord[]> {
  const objects = new Map<string, { label: string; maps: readonly MapRecord[] }>();
  for (const { program: id, entry } of programsOf(request)) {
    if (objects.has(id)) continue;
    const program = await store.programs.get(id);
    if (program === undefined) {
      throw new Problem('program-not-found', `program ${id} was deleted, and it says what the maps are`);
    }
    objects.set(id, { label: findEntry(program, entry).name, maps: program.maps });
  }
  return joinMaps([...objects.values()], ({ pinned }) => pinned === true).maps.map(({ map }) => map);
}
