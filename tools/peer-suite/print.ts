import {
  agreement,
  type Comparison,
  countDiffers,
  counts,
  type Figures,
  figures,
  nameOf,
  pcDiffers,
} from './compare.ts';
import { GROUPS } from './groups.ts';

/** Rows of cells as text, numbers to the right. */
function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => String(row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          typeof cell === 'number' ? String(cell).padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const percent = (part: number, of: number): string => (of === 0 ? '-' : `${((100 * part) / of).toFixed(1)}%`);

const HEAD = ['', 'programs', 'agree', '', 'false accepts', 'false refusals', 'crashes', 'both refuse', 'same pc', ''];
const row = (name: string, f: Figures) => [
  name,
  f.programs,
  f.agree,
  percent(f.agree, f.programs),
  f.falseAccepts,
  f.falseRefusals,
  f.crashes,
  f.refusals,
  f.samePc,
  percent(f.samePc, f.refusals),
];

function byType(comparisons: readonly Comparison[]): string {
  const types = Map.groupBy(comparisons, ({ linux }) => linux.type);
  const sorted = [...types].sort(([, a], [, b]) => b.length - a.length);
  return table([HEAD, ...sorted.map(([type, list]) => row(type, figures(list))), row('all', figures(comparisons))]);
}

/** The agreement by program type: the selftests of the networking types, the other types, the real programs. */
export function report(comparisons: readonly Comparison[]): string {
  const small = comparisons.filter(counts);
  const others = comparisons.filter((one) => one.linux.group === 'selftests' && !counts(one));
  const real = comparisons.filter(({ linux }) => linux.group !== 'selftests');
  const parts: string[] = [];
  if (small.length > 0) parts.push(`Selftests, networking types\n${byType(small)}`);
  if (others.length > 0) parts.push(`Selftests, other types (apart)\n${byType(others)}`);
  if (real.length > 0) parts.push(`Real programs\n${realPrograms(real)}`);
  const different = comparisons.filter(
    ({ linux, ours }) => ours.instructions !== null && ours.instructions !== linux.instructions,
  );
  if (different.length > 0) {
    const names = different
      .slice(0, 8)
      .map(({ linux, ours }) => `${nameOf(linux)} (${linux.instructions}, ${ours.instructions})`);
    parts.push(`Linked to another length than by libbpf: ${different.length}\n  ${names.join('\n  ')}`);
  }
  return parts.join('\n\n');
}

function realPrograms(comparisons: readonly Comparison[]): string {
  const groups = GROUPS.flatMap((group) => {
    const list = comparisons.filter(({ linux }) => linux.group === group);
    return list.length === 0 ? [] : [row(group, figures(list))];
  });
  const large = comparisons.filter(({ linux }) => (linux.processed ?? 0) > 1000);
  const head = ['', 'Linux', 'ours', 'walked by Linux', 'by us', 'ratio', 'Linux ms', 'ms', 'ratio'];
  const word = (accepted: boolean) => (accepted ? 'accept' : 'refuse');
  const times = large.map(({ linux, ours }) => {
    const theirs = linux.microseconds ?? 0;
    return [
      nameOf(linux),
      word(linux.accepted),
      word(ours.accepted),
      linux.processed ?? 0,
      ours.processed ?? '-',
      ours.processed === null ? '-' : (ours.processed / linux.processed!).toFixed(2),
      (theirs / 1000).toFixed(1).padStart(8),
      (ours.microseconds / 1000).toFixed(1).padStart(8),
      theirs === 0 ? '-' : (ours.microseconds / theirs).toFixed(1),
    ];
  });
  return `${table([HEAD, ...groups])}${large.length === 0 ? '' : `\n\n${table([head, ...times])}`}`;
}

/** One line for each comparison that is not as it should be; with Linux's sentence where it was asked anew. */
export function disagreements(comparisons: readonly Comparison[], reasons: ReadonlyMap<string, string>): string[] {
  return comparisons.flatMap((one) => {
    const { linux, ours } = one;
    const kind = agreement(one);
    const what = kind !== 'agrees' ? kind : pcDiffers(one) ? 'another pc' : countDiffers(one) ? 'another count' : null;
    if (what === null) return [];
    const side = (accepted: boolean, pc: number | null, processed: number | null, said: string) =>
      accepted ? `accept (${processed ?? '?'} walked)` : `refuse at ${pc ?? '?'}${said === '' ? '' : `: ${said}`}`;
    const theirs = side(linux.accepted, linux.pc, linux.processed, reasons.get(nameOf(linux)) ?? linux.errno ?? '');
    const mine = side(ours.accepted, ours.pc, ours.processed, `${ours.code}: ${ours.message}`);
    return [`${what}  ${linux.type}  ${nameOf(linux)}\n    Linux: ${theirs}\n    ours:  ${mine}`];
  });
}
