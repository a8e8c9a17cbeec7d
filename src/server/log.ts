import { Writable } from 'node:stream';
import { type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { pino } from 'pino';

const STDERR = 2;
const LEVELS: Readonly<Record<number, string>> = { 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };

/** Logs to standard error: a JSON object a line, or a line of words for people. */
export function createLog(pretty: boolean) {
  // Written at once, so that the last lines before a crash are not lost.
  return pino({ level: 'info' }, pretty ? prettyStream() : pino.destination({ dest: STDERR, sync: true }));
}

/** A line for each request that may have changed something; who looks on each second would fill the disk. */
export class RequestLog extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const looksOn = request.method === 'GET' || request.method === 'HEAD';
    if (error != null || !looksOn) super.requestCompleted(error, request, reply);
  }
}

function prettyStream(): Writable {
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
