import { readInput } from '../../capture/sources/input.ts';
import { captureOn } from '../../capture/sources/network-interface.ts';
import type { Attempt } from '../../capture/sources/source.ts';
import { connectTo, listenOn } from '../../capture/sources/tcp.ts';
import type { StreamSource } from '../contract/streams.ts';
import { Problem } from '../problems.ts';

/** What the daemon's operator lets streams read. Nothing in a request is a path or a command. */
export interface Sources {
  /** Address on which streams listen. */
  readonly host: string;
  /** Ports on which they may. */
  readonly ports: readonly [first: number, last: number];
  /** Named pipes by the names that requests have for them; `-` is standard input. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Network interfaces. */
  readonly interfaces: ReadonlySet<string>;
}

/** PCAP-over-IP has no port of its own; 57012 is the custom. */
export const NO_SOURCES: Sources = {
  host: '127.0.0.1',
  ports: [57012, 57111],
  inputs: new Map(),
  interfaces: new Set(),
};

/** How to read the source; undefined where it is sent to us by HTTP. Throws a `Problem` for one that is not offered. */
export function attemptFor(source: StreamSource, { host, ports, inputs, interfaces }: Sources): Attempt | undefined {
  switch (source.kind) {
    case 'http':
      return undefined;
    case 'connect':
      return connectTo(source);
    case 'listen': {
      const [first, last] = ports;
      if (source.port >= first && source.port <= last) return listenOn({ host, port: source.port });
      throw unknown(`streams may listen on ports ${first} to ${last}, not ${source.port}`, '--stream-ports');
    }
    case 'input': {
      const path = inputs.get(source.input);
      if (path !== undefined) return readInput(source.input, path);
      throw unknown(`no input is called ${source.input}; ${listed(inputs.keys())}`, '--stream-input');
    }
    default:
      if (interfaces.has(source.interface)) return captureOn(source);
      throw unknown(
        `interface ${source.interface} is not one that streams may capture on; ${listed(interfaces)}`,
        '--stream-interface',
      );
  }
}

function listed(names: Iterable<string>): string {
  const all = [...names].join(', ');
  return all === '' ? 'there are none' : `there is ${all}`;
}

function unknown(what: string, option: string): Problem {
  return new Problem('unknown-source', `${what}; the daemon's option ${option} offers more`, { option });
}
