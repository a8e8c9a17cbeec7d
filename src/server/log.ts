import { Writable } from 'node:stream';

const LEVELS: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/** Where the log goes: standard error, a JSON object a line, or for people a line of words. */
export function logStream(pretty: boolean): NodeJS.WritableStream {
  if (!pretty) return process.stderr;
  return new Writable({
    decodeStrings: false,
    write: (line, _encoding, done) => {
      process.stderr.write(`${prettyLine(String(line))}\n`, done);
    },
  });
}

function prettyLine(line: string): string {
  const { time, level, msg, pid: _pid, hostname: _hostname, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const members = Object.entries(rest).map(([name, value]) => ` ${name}=${JSON.stringify(value)}`);
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  return `${clock} ${LEVELS[Number(level)] ?? level} ${msg}${members.join('')}`;
}
