import { ERRNO } from '../../../abi/errno.ts';
import type { MapRoutines, Routines } from '../../../abi/routines.ts';
import { type Expression, i32, Routine, type Variable } from '../../../wasm/expression.ts';
import { BPF_EXIST, BPF_NOEXIST } from '../flags.ts';
import type { LruAreas } from '../lru-list.ts';
import type { TableCode } from './table.ts';
import { type ValueArea, ValuesCode } from './values.ts';

export interface LruMapAreas {
  readonly handle: number;
  readonly table: TableCode;
  readonly values: ValueArea;
  readonly lru: LruAreas;
  readonly perCpu: boolean;
  /** A slot for a CPU whose own list of free ones is empty, in no list; −1 when none can be had. */
  fetch(cpu: number): number;
}

/** LruHashMap (../lru-hash.ts) as code, with the lists that CPUs share; slots go by links. */
export function lruRoutines(areas: LruMapAreas): MapRoutines {
  const { handle, table, lru } = areas;
  const lookup = (routines: Routines) =>
    routines.once(`lookup ${handle}`, () => {
      const routine = new Routine(['i32'], ['i32']);
      const [key] = routine.parameters as [Variable];
      const link = table.find(routine, key, table.hash(routine, key));
      routine.if(link, () => {
        reference(routine, lru, link);
        routine.return(new ValuesCode(routines, areas.values, 1).at(link));
      });
      routine.return(0);
      return routine;
    });
  // Where each CPU has lists of its own, every insertion turns them: JavaScript does it.
  if (lru.perCpuLists) return { lookup };
  return {
    lookup,
    update: (routines) => routines.once(`update ${handle}`, () => update(areas, routines)),
    delete: (routines) =>
      routines.once(`delete ${handle}`, () => {
        const routine = new Routine(['i32'], ['i32']);
        const [key] = routine.parameters as [Variable];
        const hash = table.hash(routine, key);
        const link = table.find(routine, key, hash);
        routine.if(link.eq(0), () => routine.return(-ERRNO.ENOENT));
        table.unlink(routine, link, hash);
        routine.do(give(areas, routines), link);
        routine.return(0);
        return routine;
      }),
  };
}

function update(areas: LruMapAreas, routines: Routines): Routine {
  const { table, perCpu, lru } = areas;
  const routine = new Routine(['i32', 'i32', 'i64'], ['i32']);
  const [key, value, flags] = routine.parameters as [Variable, Variable, Variable];
  const values = new ValuesCode(routines, areas.values, 1);
  routine.if(flags.gt(BPF_EXIST), () => routine.return(-ERRNO.EINVAL));
  const hash = table.hash(routine, key);
  const none = i32(0);
  const takeOne = () => {
    const link = routine.call(take(areas, routines), 'i32');
    routine.if(link.eq(0), () => routine.return(-ERRNO.ENOMEM));
    return link;
  };
  // The slot is taken first, whether or not it will be needed; not for a value that can only change in place.
  const link = perCpu ? routine.either(flags.eq(BPF_EXIST), () => none, takeOne) : takeOne();
  const old = table.find(routine, key, hash);
  const giveBack = (unused: Expression) => routine.if(unused, () => routine.do(give(areas, routines), unused));
  const refuse = (errno: number) => () => {
    giveBack(link);
    routine.return(-errno);
  };
  routine.if(
    old,
    () => {
      routine.if(flags.eq(BPF_NOEXIST), refuse(ERRNO.EEXIST));
      if (perCpu) {
        reference(routine, lru, old);
        giveBack(link);
        values.set(routine, old, value);
        routine.return(0);
      } else {
        reference(routine, lru, link);
        table.replace(routine, old, link, key, hash);
        routine.do(give(areas, routines), old);
        values.set(routine, link, value);
        routine.return(0);
      }
    },
    () => routine.if(flags.eq(BPF_EXIST), refuse(ERRNO.ENOENT)),
  );
  table.link(routine, link, key, hash);
  values.setFresh(routine, link, value);
  routine.return(0);
  return routine;
}

/** Bytes of a list head, and of what is kept of a slot: see ../lru-list.ts. */
const HEAD = 12;
const [NEWEST, OLDEST, COUNT] = [0, 4, 8];
const SLOT = 20;
const [NEWER, OLDER, KIND, LIST, REFERENCED] = [0, 4, 8, 12, 16] as const;

const slotOf = ({ slots }: LruAreas, link: Expression): Expression => link.mul(SLOT).add(slots - SLOT);

function reference(routine: Routine, lru: LruAreas, link: Expression): void {
  routine.store(slotOf(lru, link), i32(1), REFERENCED);
}

/** () → the link of a slot for a new entry, or 0. */
function take(areas: LruMapAreas, routines: Routines): number {
  const { lru, handle } = areas;
  return routines.once(`take ${handle}`, () => {
    const routine = new Routine([], ['i32']);
    const cpu = routine.let(routines.slot('cpu').load());
    const pending = routine.let(cpu.mul(2 * HEAD).add(lru.pending));
    const link = routine.let(pending.load(HEAD + NEWEST));
    routine.if(
      link,
      () => routine.do(remove(lru, handle, routines), link),
      () => {
        const fetch = routines.ask(`fetch ${handle}`, (forCpu) => areas.fetch(forCpu));
        routine.set(link, routine.call(fetch, 'i32', cpu, i32(0)).add(1));
        routine.if(link.eq(0), () => routine.return(0));
      },
    );
    routine.do(push(lru, handle, routines), link, pending, i32(lru.kinds.pending));
    routine.return(link);
    return routine;
  });
}

/** (link): takes back a slot whose entry is gone. */
function give({ lru, handle }: LruMapAreas, routines: Routines): number {
  return routines.once(`give ${handle}`, () => {
    const routine = new Routine(['i32'], []);
    const [link] = routine.parameters as [Variable];
    const slot = routine.let(slotOf(lru, link));
    const isPending = routine.let(slot.load(KIND).eq(lru.kinds.pending));
    const list = routine.let(slot.load(LIST).shl(2).add(lru.lists));
    routine.do(remove(lru, handle, routines), link);
    routine.do(
      push(lru, handle, routines),
      link,
      isPending.select(list.add(HEAD), i32(lru.free)),
      isPending.select(i32(lru.kinds.localFree), i32(lru.kinds.free)),
    );
    return routine;
  });
}

/** (link, list, kind): puts a slot that is in no list on top of one, no longer referenced. */
function push(lru: LruAreas, handle: number, routines: Routines): number {
  return routines.once(`push ${handle}`, () => {
    const routine = new Routine(['i32', 'i32', 'i32'], []);
    const [link, list, kind] = routine.parameters as [Variable, Variable, Variable];
    const slot = routine.let(slotOf(lru, link));
    const second = routine.let(list.load(NEWEST));
    routine.store(slot, second, OLDER);
    routine.store(slot, i32(0), NEWER);
    routine.store(slot, kind, KIND);
    routine.store(slot, list.sub(lru.lists).shr(2), LIST);
    routine.store(slot, i32(0), REFERENCED);
    routine.if(
      second,
      () => routine.store(slotOf(lru, second), link, NEWER),
      () => routine.store(list, link, OLDEST),
    );
    routine.store(list, link, NEWEST);
    routine.store(list, list.load(COUNT).add(1), COUNT);
    return routine;
  });
}

/** (link): takes a slot out of its list. */
function remove(lru: LruAreas, handle: number, routines: Routines): number {
  return routines.once(`remove ${handle}`, () => {
    const routine = new Routine(['i32'], []);
    const [link] = routine.parameters as [Variable];
    const slot = routine.let(slotOf(lru, link));
    const list = routine.let(slot.load(LIST).shl(2).add(lru.lists));
    const newer = routine.let(slot.load(NEWER));
    const older = routine.let(slot.load(OLDER));
    // The turn through the inactive list waits at no slot that left it.
    routine.if(i32(lru.turns).load().eq(link), () => routine.store(i32(lru.turns), newer));
    routine.if(
      newer,
      () => routine.store(slotOf(lru, newer), older, OLDER),
      () => routine.store(list, older, NEWEST),
    );
    routine.if(
      older,
      () => routine.store(slotOf(lru, older), newer, NEWER),
      () => routine.store(list, newer, OLDEST),
    );
    routine.store(list, list.load(COUNT).sub(1), COUNT);
    return routine;
  });
}
