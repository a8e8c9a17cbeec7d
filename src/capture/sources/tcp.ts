import { connect, createServer, type Socket } from 'node:net';
import { OptionError } from '../../base/errors.ts';
import type { Attempt } from './source.ts';

/**
 * PCAP-over-IP: a capture as it is, over TCP, nothing before it and nothing back. It has no way to say who is there, so
 * a peer that vanished is only known by TCP's own probes.
 */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const KEEP_ALIVE_DELAY = 15_000;
const LONGEST_CONNECTING = 10_000;

/** Waits for senders, one after the other. */
export function listenOn({ host, port }: Endpoint): Attempt {
  return async (sink, opened, signal) => {
    const server = createServer({ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY, pauseOnConnect: true });
    let current: Promise<unknown> | undefined;
    server.on('connection', (socket) => {
      const from = addressOf(socket);
      // Said by the stream that is read; nobody else listens to it.
      socket.on('error', () => {});
      if (current !== undefined) {
        sink.refused(from);
        socket.destroy();
        return;
      }
      current = readSocket(socket, () => sink.feed({ from, bytes: socket }), signal).finally(() => {
        current = undefined;
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.on('error', (error: NodeJS.ErrnoException) => reject(cannotListen({ host, port }, error)));
      server.listen({ host, port }, () => {
        opened();
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve());
      });
    });
    server.close();
    await current;
  };
}

/** Connects to a sender. */
export function connectTo({ host, port }: Endpoint): Attempt {
  return async (sink, opened, signal) => {
    const socket = connect({ host, port, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY });
    const from = `${host}:${port}`;
    const end = () => socket.destroy();
    signal.addEventListener('abort', end);
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (why: string) => reject(new OptionError('cannot-connect', `${from} cannot be reached: ${why}`));
        socket.setTimeout(LONGEST_CONNECTING, () => fail(`no answer within ${LONGEST_CONNECTING / 1000} seconds`));
        socket.on('error', (error) => fail(reasonOf(error)));
        socket.on('close', () => fail('the connection was closed'));
        socket.on('connect', resolve);
      });
      socket.setTimeout(0);
      opened();
      const good = await readSocket(socket, () => sink.feed({ from, bytes: socket }), signal);
      // What is wrong has been told; what is left is not to come back at once.
      if (!good) throw new OptionError('bad-source', `the last capture of ${from} was not good`);
    } finally {
      signal.removeEventListener('abort', end);
      socket.destroy();
    }
  };
}

async function readSocket(socket: Socket, feed: () => Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  const end = () => socket.destroy();
  signal.addEventListener('abort', end);
  try {
    return await feed();
  } finally {
    signal.removeEventListener('abort', end);
    socket.destroy();
  }
}

function addressOf({ remoteAddress = 'unknown', remotePort, remoteFamily }: Socket): string {
  return remoteFamily === 'IPv6' ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}

function cannotListen({ host, port }: Endpoint, error: NodeJS.ErrnoException): OptionError {
  const why = error.code === 'EADDRINUSE' ? 'something listens there already' : reasonOf(error);
  return new OptionError('cannot-listen', `port ${port} of ${host} cannot be listened on: ${why}`);
}

/** A host with several addresses fails with one error for each. */
function reasonOf(error: Error): string {
  const { errors } = error as AggregateError;
  return error.message === '' && Array.isArray(errors)
    ? errors.map(({ message }) => message).join('; ')
    : error.message;
}
