import { joinMaps, type StageFile, type SubjectFiles } from '../index.ts';
import type { MapRecord } from './contract/maps.ts';
import type { NewReplay, subjectMembers } from './contract/replays.ts';
import { assemblyTypeOf, findEntry } from './entries.ts';
import type { DataFiles } from './files.ts';
import { Problem } from './problems.ts';
import type { Store } from './store.ts';

/** What says which programs run; and how. */
export type ProgramsWanted = Pick<NewReplay, 'program' | 'entry' | 'type' | 'pipeline'>;
type SubjectWanted = Pick<NewReplay, keyof typeof subjectMembers>;

/** The programs of a request: the first, and those that stand behind it. */
export function programsOf({ pipeline = [], ...first }: ProgramsWanted) {
  return [first, ...pipeline];
}

/** What a thread makes of the programs of a request, and where they lie. */
export async function subjectFiles(
  { store, files }: { readonly store: Pick<Store, 'programs'>; readonly files: Pick<DataFiles, 'path'> },
  { program, entry, pipeline, ...options }: SubjectWanted,
): Promise<SubjectFiles> {
  const fileOf = async (id: string) => {
    const submitted = await store.programs.get(id);
    const type = submitted === undefined ? undefined : assemblyTypeOf(submitted);
    return { object: files.path('program', id), ...(type === undefined ? {} : { assembly: { type } }) };
  };
  const stages: StageFile[] = [];
  for (const { program: id, entry: name, hook, type, ifindex } of pipeline ?? []) {
    stages.push({ ...(await fileOf(id)), program: name, hook, type, ifindex });
  }
  return {
    ...(await fileOf(program)),
    ...(pipeline === undefined ? {} : { stages }),
    options: entry === undefined ? options : { ...options, program: entry },
  };
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
