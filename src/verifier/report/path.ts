import type { PathLine, Place } from '../../abi/report.ts';
import type { Event } from './slice.ts';

/** Lines of a path that a report shows at most. */
const MOST_LINES = 12;

interface Group {
  readonly place: Place;
  readonly events: Event[];
  first: number;
  last: number;
}

/** What matters of a path, by source line: of a line that is passed again and again the last time. */
export function pathLines(unordered: readonly Event[], length: number, placeOf: (pc: number) => Place): PathLine[] {
  const events = [...unordered].sort((a, b) => a.at - b.at);
  const groups = lastOfEach(groupsOf(events, placeOf));
  const chosen = new Set([...groups].sort((a, b) => rankOf(a) - rankOf(b) || b.last - a.last).slice(0, MOST_LINES));
  let shown = -1;
  return groups
    .filter((group) => chosen.has(group) && group.last < length)
    .map(({ place, events: inside, first, last }) => {
      const skipped = Math.max(0, first - shown - 1);
      shown = last;
      return { place, skipped, events: unique(inside).map(({ pc, kind, text }) => ({ pc, kind, text })) };
    });
}

function groupsOf(events: readonly Event[], placeOf: (pc: number) => Place): Group[] {
  const groups: Group[] = [];
  for (const event of events) {
    const place = placeOf(event.pc);
    const open = groups[groups.length - 1];
    if (open !== undefined && lineOf(open.place) === lineOf(place)) {
      open.events.push(event);
      open.last = event.at;
    } else groups.push({ place, events: [event], first: event.at, last: event.at });
  }
  return groups;
}

function lastOfEach(groups: readonly Group[]): Group[] {
  const last = new Map(groups.map((group) => [lineOf(group.place), group]));
  return groups.filter((group) => last.get(lineOf(group.place)) === group);
}

const rankOf = ({ events }: Group): number => Math.min(...events.map((event) => event.rank));

function lineOf({ pc, file, line }: Place): string {
  return line === null ? `${pc}` : `${file}:${line}`;
}

/** A line says a thing once, and copies only where it says nothing else. */
function unique(events: readonly Event[]): Event[] {
  const telling = events.filter((event) => event.rank < 2);
  const said = telling.length > 0 ? telling : events;
  const last = new Map(said.map((event) => [isBranch(event) ? `${event.pc}` : `${event.pc} ${event.text}`, event]));
  return [...last.values()];
}

/** Of a branch in a loop the last round is told. */
function isBranch({ kind }: Event): boolean {
  return kind === 'branch' || kind === 'learn';
}
