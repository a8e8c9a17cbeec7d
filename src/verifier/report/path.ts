import type { PathLine, Place } from '../../abi/report.ts';
import type { Event } from './slice.ts';

/** Lines of a path that a report shows at most. */
const MOST_LINES = 12;
/** Of these, lines that only tell which way a branch went: the last ones. */
const MOST_BRANCHES = 5;

interface Group {
  readonly place: Place;
  readonly events: Event[];
  readonly first: number;
  last: number;
  times: number;
}

/** What matters of a path, by source line; of an instruction that is passed again and again, the last time. */
export function pathLines(unordered: readonly Event[], placeOf: (pc: number) => Place): PathLine[] {
  const groups = groupsOf(
    [...unordered].sort((a, b) => a.at - b.at),
    placeOf,
  );
  const branches = groups.filter((group) => rankOf(group) === 1).slice(-MOST_BRANCHES);
  const ranked = groups.filter((group) => rankOf(group) !== 1 || branches.includes(group));
  const chosen = new Set(ranked.sort((a, b) => rankOf(a) - rankOf(b) || b.last - a.last).slice(0, MOST_LINES));
  let shown = -1;
  return groups
    .filter((group) => chosen.has(group))
    .map(({ place, events, first, last, times }) => {
      const skipped = Math.max(0, first - shown - 1);
      shown = last;
      const told = telling(events).map(({ pc, kind, text }) => ({
        pc,
        instruction: placeOf(pc).instruction,
        kind,
        text,
      }));
      return { place, skipped, times, events: told };
    });
}

/** Neighbours of the same source line. */
function groupsOf(events: readonly Event[], placeOf: (pc: number) => Place): Group[] {
  const passes = new Map<number, Set<number>>();
  const lastPass = new Map<number, number>();
  for (const { pc, at } of events) {
    passes.set(pc, (passes.get(pc) ?? new Set()).add(at));
    lastPass.set(pc, at);
  }
  const groups: Group[] = [];
  for (const event of events) {
    const { pc, at } = event;
    if (lastPass.get(pc) !== at) continue;
    const times = passes.get(pc)!.size;
    const place = placeOf(pc);
    const open = groups[groups.length - 1];
    if (open !== undefined && lineOf(open.place) === lineOf(place)) {
      open.events.push(event);
      open.last = at;
      open.times = Math.max(open.times, times);
    } else groups.push({ place, events: [event], first: at, last: at, times });
  }
  return groups;
}

const rankOf = ({ events }: Group): number => Math.min(...events.map((event) => event.rank));

function lineOf({ pc, file, line }: Place): string {
  return line === null ? `${pc}` : `${file}:${line}`;
}

/** Mere copies are told only where there is nothing else, and nothing is told twice. */
function telling(events: readonly Event[]): Event[] {
  const telling = events.filter((event) => event.rank < 2);
  const told = telling.length > 0 ? telling : events;
  return [...new Map(told.map((event) => [`${event.pc} ${event.text}`, event])).values()];
}
