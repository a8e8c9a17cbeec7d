import type { Figure } from './measure.ts';

/** What a figure is held to. */
export interface Bar {
  readonly what: string;
  readonly figure: number;
  /** `least`: the figure is to be at least so much. */
  readonly least?: number;
  readonly most?: number;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What one section found. A remark says what could not be asked, and why. */
export interface Findings {
  readonly tables: readonly Table[];
  readonly bars: readonly Bar[];
  readonly remarks: readonly string[];
}

/** Three significant digits, and no more than a tenth. */
export function number(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

/** `median (least to most)` */
export const spread = ({ median, least, most }: Figure) => `${number(median)} (${number(least)} to ${number(most)})`;

function isMet({ figure, least, most }: Bar): boolean {
  return figure >= (least ?? Number.NEGATIVE_INFINITY) && figure <= (most ?? Number.POSITIVE_INFINITY);
}

function judged(bar: Bar): string {
  if (!Number.isFinite(bar.figure)) return 'not measured';
  if (isMet(bar)) return 'met';
  const limit = bar.least ?? bar.most!;
  return `**not met**, by ${number(100 * Math.abs(bar.figure / limit - 1))}%`;
}

const limitOf = ({ least, most }: Bar) => (least === undefined ? `≤ ${most}` : `≥ ${least}`);

function tableText({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [`### ${title}`, '', line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

const barsTable = (bars: readonly Bar[]): Table => ({
  title: 'Held to',
  columns: ['What', 'Bar', 'Median', ''],
  rows: bars.map((bar) => [bar.what, limitOf(bar), number(bar.figure), judged(bar)]),
});

/** A section of the results, as Markdown. */
export function sectionText(title: string, { tables, bars, remarks }: Findings): string {
  return [`## ${title}`, ...remarks, ...[...tables, ...(bars.length > 0 ? [barsTable(bars)] : [])].map(tableText)].join(
    '\n\n',
  );
}
