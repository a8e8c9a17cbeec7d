import { REFUSAL_CODES, type RefusalCode } from '../../src/verifier/refuse.ts';
import { EXPLANATIONS } from '../../src/verifier/report/codes.ts';

const INTRODUCTION = `# Refusals

Every refusal of the verifier has a code. Codes do not change; the sentences around them may. \`bpfreplay verify\` prints a report for each program
that is refused: what is wrong, where, how the program comes there, why there is such a rule, and what would help. \`--format json\` gives the same
as data, \`--log\` every instruction that is followed and what it changes.

This page is made from the verifier's own tables: \`npx vitest run --project report -u\` writes it, and the test fails where it is not up to date.
`;

/** docs/refusals.md: every code, by category. */
export function refusalsDocument(): string {
  const codes = Object.keys(REFUSAL_CODES) as RefusalCode[];
  const categories = [...new Set(codes.map((code) => EXPLANATIONS[code].category))];
  const sections = categories.map((category) => {
    const rows = codes.filter((code) => EXPLANATIONS[code].category === category).map(row);
    return [
      `## ${category.charAt(0).toUpperCase()}${category.slice(1)}`,
      '',
      '| Code | What it means | Example | What would help |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `${[INTRODUCTION, ...sections].join('\n')}\n`.replaceAll('\n## ', '\n\n## ').replaceAll('\n\n\n', '\n\n');
}

function row(code: RefusalCode): string {
  const { rule, example, help } = EXPLANATIONS[code];
  return `| \`${code}\` | ${[`${REFUSAL_CODES[code]} ${rule}`, example, help].map(cell).join(' | ')} |`;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
