import type { PathLine, Place, Report } from '../../abi/report.ts';

const WIDTH = 110;
/** Fewer instructions that are not shown need no mark. */
const WORTH_A_MARK = 10;

/** A report as a compiler would print it. */
export function reportText(report: Report): string {
  const lines = [
    `${report.program} (${report.type}) is refused: ${report.title} [${report.code}]`,
    '',
    ...wrap(sentence(report.reason), '  '),
  ];
  if (report.at !== null) lines.push('', ...faultLines(report, report.at));
  if (report.path.length > 0) {
    lines.push('', 'How the program comes there:', '', ...pathText(report));
  }
  if (report.busiest.length > 0) {
    lines.push('', 'Where most of the work is:', '');
    for (const { place, followed } of report.busiest) {
      lines.push(...sourceLine(place), `${GUTTER}followed ${followed.toLocaleString('en-US')} times`);
    }
  }
  lines.push('', ...wrap(`Why: ${report.rule}`, '     ', ''));
  if (report.help !== null) lines.push(...wrap(`Help: ${report.help}`, '      ', ''));
  return lines.join('\n');
}

const CODE_OR_WORD = /if \([^;]*;|[^ ]+/g;
export const GUTTER = '        |   ';

function faultLines({ registers }: Report, at: Place): string[] {
  const where = at.line === null ? `${at.function}` : `${shortFile(at.file ?? '')}:${at.line} in ${at.function}`;
  const lines = [`  at ${where}, instruction ${at.pc}`, '', ...sourceLine(at)];
  if (at.source !== null) {
    const mark = at.column === null || at.column < 1 ? '' : `${' '.repeat(caretOf(at))}^ `;
    lines.push(`        | ${mark}${at.instruction}`);
  }
  for (const { name, state } of registers) lines.push(...wrap(`${name} is ${state}`, `${GUTTER}  `, GUTTER));
  return lines;
}

function pathText({ path, at, pathLength }: Report): string[] {
  const lines: string[] = [];
  for (const line of path) lines.push(...skipped(line.skipped), ...lineText(line, at?.file ?? null));
  if (at !== null && pathLength > 0) lines.push(`  then instruction ${at.pc}, the ${ordinal(pathLength)} of this path`);
  return lines;
}

function lineText({ place, events, times }: PathLine, file: string | null): string[] {
  const [line] = sourceLine(place);
  const notes = [
    ...(place.file === null || place.file === file ? [] : [`in ${shortFile(place.file)}`]),
    ...(times === 1 ? [] : [`for the ${ordinal(times)} time`]),
  ];
  // A line of inline assembly holds many instructions, and says none of them.
  const isAssembly = /\basm\b/.test(place.source ?? '');
  const told = events.map(({ pc, instruction, text }) => {
    const alone = isAssembly || place.source === null ? text.replace(` (${instruction})`, '') : text;
    if (place.source === null) return alone;
    return isAssembly ? `${pc}: ${instruction}: ${alone}` : `${pc}: ${alone}`;
  });
  return [
    notes.length === 0 ? line! : `${line}    (${notes.join(', ')})`,
    ...told.flatMap((text) => wrap(text, `${GUTTER}    `, GUTTER)),
  ];
}

/** Compilers name files in the working directory `./name`. */
export const shortFile = (file: string): string => file.replace(/(^|\/)\.\//g, '$1');

function skipped(count: number): string[] {
  return count < WORTH_A_MARK ? [] : [`      … ${count.toLocaleString('en-US')} instructions`];
}

/** The source line with its number, or the instruction where there is no source. */
export function sourceLine({ line, source, pc, instruction }: Place): string[] {
  if (line === null || source === null) return [`${`${pc}:`.padStart(7)} | ${instruction}`];
  return [`${`${line}`.padStart(7)} | ${source.trim()}`];
}

/** Columns count from 1 and include the indentation, which is not printed. */
function caretOf({ column, source }: Place): number {
  const indentation = source!.length - source!.trimStart().length;
  return Math.max(0, Math.min(column! - 1 - indentation, source!.trim().length));
}

function sentence(text: string): string {
  const first = /^r\d/.test(text) || /^bpf_/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return /[.;]$/.test(first) ? first : `${first}.`;
}

function ordinal(number: number): string {
  const tens = number % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number.toLocaleString('en-US')}${suffix}`;
}

/** Breaks at spaces, but not within a piece of C. */
export function wrap(text: string, indent: string, first = indent): string[] {
  const lines: string[] = [];
  let line = first;
  for (const word of text.match(CODE_OR_WORD) ?? []) {
    if (line.length + word.length + 1 > WIDTH && line.trim() !== '' && line !== indent) {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += line === first || line === indent ? word : ` ${word}`;
  }
  lines.push(line.trimEnd());
  return lines;
}
