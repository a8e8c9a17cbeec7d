// `node tools/picture.ts`: docs/run.svg, the picture in the README, from what the command really prints.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const ARGS = ['run', 'programs/blocklist.bpf.o', 'pcaps/mixed.pcap', '--map-init', 'programs/blocklist.maps.json'];
const FONT = 13;
const LINE = 18;
const MARGIN = 16;
/** Width of a character of a monospaced font, as a share of its size. */
const ASPECT = 0.602;

const output = execFileSync(process.execPath, ['bin/bpfreplay.js', ...ARGS], { encoding: 'utf8' });
const lines = [`$ npx bpfreplay ${ARGS.join(' ')}`, ...output.trimEnd().split('\n')];
const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * FONT * ASPECT + 2 * MARGIN);
const height = lines.length * LINE + 2 * MARGIN;
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const rows = lines.map((line, index) => {
  const fill = index === 0 ? '#8ec07c' : '#ebdbb2';
  return `<text x="${MARGIN}" y="${MARGIN + (index + 0.75) * LINE}" fill="${fill}" xml:space="preserve">${escaped(line)}</text>`;
});
writeFileSync(
  'docs/run.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${FONT}">
<title>What bpfreplay run prints</title>
<rect width="100%" height="100%" rx="8" fill="#282828"/>
${rows.join('\n')}
</svg>
`,
);
