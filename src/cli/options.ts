import { InvalidArgumentError } from 'commander';

/** A whole number, decimal or hexadecimal. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('a whole number is wanted.');
  return value;
}

/** Of what there must be one at least. */
export function count(text: string): number {
  if (wholeNumber(text) === 0) throw new InvalidArgumentError('1 or more is wanted.');
  return wholeNumber(text);
}

const LAST_PORT = 65_535;

/** Of TCP; 0 stands for any. */
export function port(text: string): number {
  if (wholeNumber(text) > LAST_PORT) throw new InvalidArgumentError(`a port is wanted, 0 to ${LAST_PORT}.`);
  return wholeNumber(text);
}

/** Bytes, with an optional unit: `64M`, `2GiB`. */
export function byteSize(text: string): number {
  const match = /^(\d+)\s*(?:([KMG])i?B?)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('a size is wanted, such as 512M.');
  const scale = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2]?.toLowerCase() ?? ''] ?? 1;
  return Number(match[1]) * scale;
}

/** Seconds, from a number with a unit: `90s`, `12h`, `30d`. */
export function duration(text: string): number {
  const match = /^(\d+)\s*([smhd])$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('a time is wanted, such as 12h or 30d.');
  return Number(match[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[match[2]!.toLowerCase() as 's' | 'm' | 'h' | 'd'];
}

/** What the tally must say: `XDP_DROP=12`, `XDP_PASS>=1`. */
export interface Expectation {
  readonly verdict: string;
  readonly relation: '=' | '>=' | '<=';
  readonly packets: number;
}

export function expectation(text: string, before: readonly Expectation[] = []): Expectation[] {
  const match = /^([A-Z_0-9-]+)(=|>=|<=)(\d+)$/i.exec(text);
  if (match === null)
    throw new InvalidArgumentError('VERDICT=PACKETS is wanted, such as XDP_DROP=12 (also >= and <=).');
  const [, verdict, relation, packets] = match;
  return [...before, { verdict: verdict!, relation: relation as Expectation['relation'], packets: Number(packets) }];
}

export function holds({ relation, packets }: Expectation, actual: number): boolean {
  if (relation === '=') return actual === packets;
  return relation === '>=' ? actual >= packets : actual <= packets;
}
