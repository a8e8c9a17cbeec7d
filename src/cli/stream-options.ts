import { InvalidArgumentError } from 'commander';

/** What the operator lets streams read: nothing but what is sent to the daemon, and loopback, unless told. */
export interface StreamOptions {
  readonly streams?: number;
  readonly streamHost?: string;
  readonly streamPorts?: readonly [first: number, last: number];
  readonly streamInput?: ReadonlyMap<string, string>;
  readonly streamInterface?: ReadonlySet<string>;
}

/** The options in the server's terms. */
export function sourcesOf({ streamHost, streamPorts, streamInput, streamInterface }: StreamOptions) {
  return {
    ...(streamHost === undefined ? {} : { host: streamHost }),
    ...(streamPorts === undefined ? {} : { ports: streamPorts }),
    ...(streamInput === undefined ? {} : { inputs: streamInput }),
    ...(streamInterface === undefined ? {} : { interfaces: streamInterface }),
  };
}

const LAST_PORT = 65535;

export function portRange(text: string): [number, number] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match !== null && first >= 1 && first <= last && last <= LAST_PORT) return [first, last];
  throw new InvalidArgumentError('a port or a range is wanted, such as 57012-57020.');
}

export function input(text: string, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const [, name, path] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError('NAME=PATH is wanted, such as sensor=/run/sensor.pcap, or stdin=-.');
  }
  if (before.has(name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return new Map(before).set(name, path);
}

/** As Linux takes them (IFNAMSIZ, dev_valid_name), and none that a command could take for an option. */
export function interfaceName(text: string, before: ReadonlySet<string> = new Set()): Set<string> {
  if (/^[^\s/:-][^\s/:]{0,14}$/.test(text) && text !== '.' && text !== '..') return new Set(before).add(text);
  throw new InvalidArgumentError('the name of a network interface is wanted, such as eth0.');
}
