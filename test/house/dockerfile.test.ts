import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Instruction, parseDockerfile, stagesOf } from '../../tools/image/dockerfile.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

/** What is wrong with a Dockerfile, each with its line. */
function lint(text: string): string[] {
  const instructions = parseDockerfile(text);
  const stages = stagesOf(instructions);
  const found: string[] = [];
  const rule = (holds: boolean, line: number, message: string) => {
    if (!holds) found.push(`${line}: ${message}`);
  };
  const all = (name: string, of: readonly Instruction[] = instructions) => of.filter((one) => one.name === name);
  const names = new Set<string>();
  rule(stages.length > 1, 1, 'what builds is not in the image: it takes more than one stage');
  for (const { from, name } of stages) {
    rule(names.has(from) || /:\d/.test(from), 1, `${from} is of any version`);
    if (name !== undefined) names.add(name);
  }
  for (const { words, flags, line } of all('COPY')) {
    const sources = flags.from === undefined ? words.slice(0, -1) : [];
    rule(flags.from === undefined || names.has(flags.from), line, `there is no stage ${flags.from}`);
    for (const source of sources) rule(existsSync(join(ROOT, source)), line, `there is no ${source}`);
    rule(!sources.includes('.'), line, 'what is copied is named');
  }
  for (const { line } of all('ADD')) rule(false, line, 'COPY is what copies files');
  for (const { text, line } of all('RUN')) {
    rule(!/\bnpm i(nstall)?\b/.test(text), line, 'npm ci installs what the lock file says');
    rule(!/\b(curl|wget)\b.*\|/.test(text), line, 'nothing is run as it comes from the network');
    rule(!/\bsudo\b/.test(text), line, 'the user is named by USER');
  }
  for (const { text, line } of [...all('ENV'), ...all('ARG')]) {
    rule(!/token|secret|password/i.test(text), line, 'a secret would be in the image');
  }
  for (const { text, line } of all('WORKDIR')) rule(text.startsWith('/'), line, 'a directory is named from the root');
  const image = stages.at(-1)?.instructions ?? [];
  for (const name of ['USER', 'HEALTHCHECK', 'ENTRYPOINT', 'EXPOSE', 'VOLUME']) {
    rule(all(name, image).length === 1, 1, `the image has one ${name}`);
  }
  for (const { words, line } of all('USER', image))
    rule(!/^(root|0)\b/.test(words[0]!), line, 'it does not run as root');
  for (const name of ['HEALTHCHECK', 'ENTRYPOINT', 'CMD']) {
    // Without a shell between, signals reach the daemon.
    for (const { isExec, line } of all(name, image)) rule(isExec, line, `${name} is in the exec form`);
  }
  return found;
}

const TEXT = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');

describe('the Dockerfile', () => {
  it('keeps the rules', () => {
    expect(lint(TEXT)).toEqual([]);
  });

  it.each([
    ['FROM node:26-slim AS build', 'FROM node AS build', 'node is of any version'],
    ['USER node', 'USER root', 'it does not run as root'],
    ['USER node', '', 'the image has one USER'],
    ['COPY bin ./bin', 'COPY binn ./bin', 'there is no binn'],
    ['COPY bin ./bin', 'COPY . .', 'what is copied is named'],
    ['--from=build /app/dist', '--from=builds /app/dist', 'there is no stage builds'],
    ['RUN npm ci', 'RUN npm install', 'npm ci installs what the lock file says'],
    ['ENV NODE_ENV=production', 'ENV BPFREPLAY_TOKEN=x', 'a secret would be in the image'],
    ['ENTRYPOINT ["node", "bin/bpfreplay.js"]', 'ENTRYPOINT node bin/bpfreplay.js', 'ENTRYPOINT is in the exec form'],
  ])('with %s as %s does not', (right, wrong, message) => {
    expect(TEXT).toContain(right);
    expect(lint(TEXT.replace(right, wrong)).join()).toContain(message);
  });

  it('listens where it says that it does, and keeps its data in the volume', () => {
    const words = (name: string) => parseDockerfile(TEXT).find((one) => one.name === name)!.words;
    const command = words('CMD');
    expect(command[command.indexOf('--port') + 1]).toBe(words('EXPOSE')[0]);
    expect(words('HEALTHCHECK').at(-1)).toContain(`:${words('EXPOSE')[0]}/readyz`);
    expect(command[command.indexOf('--data') + 1]).toBe(words('VOLUME')[0]);
  });

  it('finds each file that it copies in the build context', () => {
    const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
    const copied = parseDockerfile(TEXT).filter(({ name, flags }) => name === 'COPY' && flags.from === undefined);
    for (const { words } of copied) for (const source of words.slice(0, -1)) expect(ignored).toContain(`!${source}\n`);
  });
});
