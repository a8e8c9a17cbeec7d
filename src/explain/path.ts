import type { Place } from '../abi/report.ts';
import type { ExplainedEvent, ExplainedLine } from './explanation.ts';

/** Lines of a path that are kept at its start, and as many at its end. */
const MOST_LINES = 200;
/** Events of one line that are kept. */
const MOST_EVENTS = 50;

interface Line extends ExplainedLine {
  readonly events: ExplainedEvent[];
}

/** Gathers events by source line, bounded however long a run is. */
export class Path {
  readonly #first: Line[] = [];
  #last: Line[] = [];
  #omitted = 0;

  add(place: Place, depth: number, event: ExplainedEvent): void {
    const current = this.#last.at(-1) ?? this.#first.at(-1);
    if (current !== undefined && current.depth === depth && isSameLine(current.place, place)) {
      if (current.events.length < MOST_EVENTS) {
        current.events.push(event);
        return;
      }
    }
    const line = { place, depth, events: [event] };
    if (this.#first.length < MOST_LINES) this.#first.push(line);
    else this.#last.push(line);
    // Not one by one: what is left out is left out in bulk.
    if (this.#last.length === 2 * MOST_LINES) this.#leaveOut();
  }

  #leaveOut(): void {
    const surplus = Math.max(0, this.#last.length - MOST_LINES);
    this.#omitted += surplus;
    this.#last = this.#last.slice(surplus);
  }

  end(): { readonly path: readonly ExplainedLine[]; readonly omitted: number } {
    this.#leaveOut();
    return { path: [...this.#first, ...this.#last], omitted: this.#omitted };
  }

  /** Index in the path behind which lines were left out. */
  static get gap(): number {
    return MOST_LINES;
  }
}

/** Without source lines, an instruction is its own. */
function isSameLine(a: Place, b: Place): boolean {
  if (a.function !== b.function || a.line === null) return a.function === b.function && a.pc === b.pc;
  return a.line === b.line && a.file === b.file;
}
