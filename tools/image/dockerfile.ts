/** As much of the Dockerfile's language as ours uses (docs.docker.com/reference/dockerfile). */

export interface Instruction {
  /** In capitals. */
  readonly name: string;
  /** `--from=build` as `from: 'build'`. */
  readonly flags: Readonly<Record<string, string>>;
  /** What follows the flags: the members of the exec form, else the words; and all of it as one text. */
  readonly words: readonly string[];
  readonly text: string;
  readonly isExec: boolean;
  /** Of the file, from 1. */
  readonly line: number;
}

export interface Stage {
  readonly name: string | undefined;
  /** An image, or a stage before it. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

/** Its instructions, in order. Heredocs, escapes other than `\` and variables are not read. */
export function parseDockerfile(text: string): Instruction[] {
  const found: Instruction[] = [];
  let pending = '';
  let start = 0;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    if (pending === '') start = index + 1;
    pending += line.replace(/\\\s*$/, ' ');
    if (/\\\s*$/.test(line)) continue;
    found.push(instruction(pending.trim(), start));
    pending = '';
  }
  return found;
}

function instruction(whole: string, line: number): Instruction {
  const [, name, rest] = /^(\S+)\s*(.*)$/s.exec(whole) as unknown as [string, string, string];
  const flags: Record<string, string> = {};
  const text = rest.replace(/^(--[a-z-]+=\S+\s+)+/, (all) => {
    for (const [, flag, value] of all.matchAll(/--([a-z-]+)=(\S+)/g)) flags[flag!] = value!;
    return '';
  });
  // The command of a health check is its own instruction: `HEALTHCHECK … CMD ["…"]`.
  const list = execForm(name === 'HEALTHCHECK' ? text.replace(/^CMD\s+/, '') : text);
  return { name: name.toUpperCase(), flags, words: list ?? text.split(/\s+/), text, isExec: list !== undefined, line };
}

function execForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    return JSON.parse(text) as string[];
  } catch {
    return undefined;
  }
}

/** The stages of a file, each from its FROM on. */
export function stagesOf(instructions: readonly Instruction[]): Stage[] {
  const stages: { name: string | undefined; from: string; instructions: Instruction[] }[] = [];
  for (const one of instructions) {
    if (one.name !== 'FROM') {
      stages.at(-1)?.instructions.push(one);
      continue;
    }
    const [from = '', as, name] = one.words;
    stages.push({ from, name: as?.toUpperCase() === 'AS' ? name : undefined, instructions: [] });
  }
  return stages;
}
