import type { Count, JsonValue, MapDump, Sharing, Tally } from '../index.ts';
import { plural, table } from './table.ts';

const NANOSECONDS = 1e9;

/** The tally for people; with how its packets were spread, where that was asked for. */
export function tallyText(tally: Tally, sharing?: Sharing): string {
  const share = (packets: number) => `${((100 * packets) / Math.max(1, tally.packets)).toFixed(1)}%`;
  const verdicts = Object.entries(tally.verdicts).sort(([, a], [, b]) => b.packets - a.packets);
  const parts = [
    `${tally.program} (${tally.type}): ${plural(tally.packets, 'packet')}, ${plural(tally.bytes, 'byte')}${span(tally)}`,
    table([
      ['verdict', 'packets', 'bytes', 'share'],
      ...verdicts.map(([name, { packets, bytes }]) => [name, packets, bytes, share(packets)]),
    ]),
  ];
  if (tally.stages !== undefined) parts.push(stagesText(tally.stages));
  parts.push(...kindsText(tally, share));
  const section = (title: string, rows: (string | number)[][]) => {
    if (rows.length > 0) parts.push(`${title}\n${table(rows.map((row) => ['', ...row]))}`);
  };
  section(
    'redirected',
    Object.entries(tally.redirects).map(([target, { packets, bytes }]) => [target, packets, bytes]),
  );
  section('errors', Object.entries(tally.errors).map(([code, { packets, firstPacket, message }]) => [code, packets, `first in packet ${firstPacket}: ${message}`])); // biome-ignore format: a row
  section('skipped', Object.entries(tally.skipped));
  section('given an Ethernet header', Object.entries(tally.headerAdded));
  section('records sent to user space', Object.entries(tally.events));
  if (tally.traces > 0) parts.push(`${plural(tally.traces, 'line')} traced (--events shows them)`);
  if (sharing !== undefined) parts.push(sharingText(sharing));
  return parts.join('\n\n');
}

/** Protocols that are shown by name; the rest is one row. */
const MOST_PROTOCOLS = 12;

/** What ran: by protocol; by interface and length where they differ. */
function kindsText(tally: Tally, share: (packets: number) => string): string[] {
  const counted = (title: string, counts: readonly (readonly [string, Count])[]) =>
    table([
      [title, 'packets', 'bytes', 'share'],
      ...counts.map(([name, { packets, bytes }]) => [name, packets, bytes, share(packets)]),
    ]);
  const protocols = Object.entries(tally.protocols);
  const interfaces = Object.entries(tally.interfaces);
  const sizes = tally.sizes.map((size, i) => ({ ...size, next: tally.sizes[i + 1]?.from })).filter(isNotEmpty);
  const parts: string[] = [];
  if (protocols.length > 0) parts.push(counted('protocol', withRest(protocols)));
  // Classic captures have one, which has no name.
  if (interfaces.some(([name]) => name !== '0')) parts.push(counted('interface', interfaces));
  if (sizes.length > 1) {
    const rows = sizes.map(({ from, next, packets }) => [range(from, next), packets, share(packets)]);
    parts.push(table([['bytes', 'packets', 'share'], ...rows]));
  }
  return parts;
}

const isNotEmpty = ({ packets }: { readonly packets: number }) => packets > 0;

function withRest(protocols: readonly (readonly [string, Count])[]): (readonly [string, Count])[] {
  if (protocols.length <= MOST_PROTOCOLS) return [...protocols];
  const rest = { packets: 0, bytes: 0 };
  for (const [, { packets, bytes }] of protocols.slice(MOST_PROTOCOLS - 1)) {
    rest.packets += packets;
    rest.bytes += bytes;
  }
  return [...protocols.slice(0, MOST_PROTOCOLS - 1), [`${protocols.length - MOST_PROTOCOLS + 1} others`, rest]];
}

/** `64`, `65–127`, `from 9,217`. */
function range(from: number, next: number | undefined): string {
  if (next === undefined) return `${from} and more`;
  return next === from + 1 ? `${from}` : `${from}–${next - 1}`;
}

/** What each program of a pipeline did. */
function stagesText(stages: NonNullable<Tally['stages']>): string {
  const rows = stages.flatMap(({ hook, ifindex, program, packets, verdicts }) => {
    const where = ifindex === null ? hook : `${hook} of ${ifindex}`;
    const first = [where, program, packets];
    const counts = Object.entries(verdicts).sort(([, a], [, b]) => b - a);
    if (counts.length === 0) return [[...first, '', '']];
    return counts.map((count, index) => [...(index === 0 ? first : ['', '', '']), ...count]);
  });
  return table([['hook', 'program', 'packets', 'verdict', 'packets'], ...rows]);
}

function sharingText({ workers, by, relaxed, because }: Sharing): string {
  const spread = [
    `spread over ${workers} workers`,
    ...(by === 'flow' ? ['by flow'] : []),
    ...(relaxed ? [RELAXED] : []),
  ];
  const how = by === null ? 'run by one worker' : spread.join(', ');
  return because === null ? how : `${how}: ${because}`;
}

const RELAXED = 'relaxed (they share the maps, and what is kept where flows meet may differ from run to run)';

function span({ firstTime, lastTime }: Tally): string {
  if (firstTime === null || lastTime === null) return '';
  const seconds = Number(BigInt(lastTime) - BigInt(firstTime)) / NANOSECONDS;
  return ` over ${seconds.toFixed(3)} s`;
}

/** A map's contents, and its global variables by name where it holds some. */
export interface ShownMap extends MapDump {
  readonly variables?: JsonValue | undefined;
}

/** Maps for people: entries in hex. Maps without entries are named all the same. */
export function mapsText(maps: readonly ShownMap[]): string {
  return maps
    .map(({ map, type, entries, variables }) =>
      [
        `map ${map} (${type}): ${entries.length === 1 ? '1 entry' : `${entries.length} entries`}`,
        ...entries.map(
          ({ key, value }) => `  ${key === '' ? '-' : key}: ${typeof value === 'string' ? value : value.join(' ')}`,
        ),
        ...Object.entries(variables ?? {}).map(([name, value]) => `  ${name} = ${JSON.stringify(value)}`),
      ].join('\n'),
    )
    .join('\n');
}
