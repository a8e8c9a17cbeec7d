import type { Place } from '../abi/report.ts';
import { GUTTER, shortFile, sourceLine, wrap } from '../verifier/report/text.ts';
import type { ExplainedLine, ExplainedRun } from './explanation.ts';
import { Path } from './path.ts';

/** A run for people: its lines in their order, each with what happened there, and what decided. */
export function runText(run: ExplainedRun): string {
  const { program, type, verdict, instructions, lastBranch, decision, path, omitted } = run;
  const took = `${instructions.toLocaleString('en-US')} instruction${instructions === 1 ? '' : 's'}`;
  const file = path[0]?.place.file ?? null;
  const lines = [`${program} (${type}): ${verdict ?? 'ERROR'}, after ${took}`, ''];
  for (const [index, line] of path.entries()) {
    if (omitted > 0 && index === Path.gap) lines.push(`      … ${omitted.toLocaleString('en-US')} lines`);
    const before = path[index - 1]?.place.file ?? file;
    lines.push(...lineText(line, line.place.file === before && index > 0));
  }
  if (lastBranch !== null)
    lines.push('', 'The last branch before the end:', '', ...told(lastBranch.place, lastBranch.event.text));
  if (decision !== null) lines.push('', 'Where the verdict was set:', '', ...told(decision, decision.instruction));
  return lines.join('\n');
}

function lineText({ place, depth, events }: ExplainedLine, isSameFile: boolean): string[] {
  const [source] = sourceLine(place);
  const within = depth === 0 ? '' : `in ${place.function}`;
  const file = isSameFile || place.file === null ? '' : shortFile(place.file);
  const notes = [file, within].filter((note) => note !== '').join(', ');
  return [
    notes === '' ? source! : `${source}    (${notes})`,
    ...events.flatMap(({ pc, text }) => wrap(`${pc}: ${text}`, `${GUTTER}    `, GUTTER)),
  ];
}

function told(place: Place, text: string): string[] {
  const { file, function: name } = place;
  const [source] = sourceLine(place);
  const where = file === null ? `in ${name}` : `${shortFile(file)}, in ${name}`;
  return [`${source}    (${where})`, ...wrap(`${place.pc}: ${text}`, `${GUTTER}    `, GUTTER)];
}
