import { encodeUtf8 } from '../../base/bytes.ts';
import { LoadError, OptionError } from '../../base/errors.ts';
import { fnv1a64 } from '../../base/fnv.ts';
import type { Frame } from '../../capture/frame.ts';
import { protocolName, protocolOf } from '../../capture/protocols.ts';
import { Instance } from '../../engine/instance.ts';
import { readObject } from '../../engine/read-object.ts';
import { redirectTarget } from '../records.ts';
import type { PacketRecord } from '../tally.ts';

/** Which packets are wanted: those that meet every condition that is given. */
export interface PacketFilter {
  /** One of these. */
  readonly verdicts?: readonly string[];
  /** One of these, as a tally names them (`IPv4 TCP`), or by the last word alone (`TCP`); in any case. */
  readonly protocols?: readonly string[];
  /** Of indices in the capture, both included. */
  readonly first?: number;
  readonly last?: number;
  /** Whether it was redirected, or its target as a tally names it: `ifindex 4`, `map tx_ports key 2`. */
  readonly redirect?: boolean | string;
  /** Whether its run ended in an error. */
  readonly error?: boolean;
  /** Whether it left as it came. */
  readonly changed?: boolean;
  /** A classic filter as `tcpdump -ddd` prints it, over the bytes that were captured. */
  readonly classic?: string;
}

type FrameTest = (frame: Frame, record: PacketRecord) => boolean;

/** Conditions on the record alone, and those for which the packet must be read from the capture. */
export interface FilterTests {
  record(record: PacketRecord): boolean;
  /** Undefined where there are none. `frame` is Ethernet. */
  readonly frame: FrameTest | undefined;
}

/** `layer` is that of the program: one of layer 3 leaves zeroes in place of the Ethernet header. Throws `OptionError`. */
export function filterTests(filter: PacketFilter, layer: 2 | 3): FilterTests {
  const { verdicts, first = 0, last = Number.POSITIVE_INFINITY, redirect, error } = filter;
  const tests = [protocolTest(filter), changeTest(filter, layer), classicTest(filter)].filter(
    (test) => test !== undefined,
  );
  return {
    record: (record) =>
      record.index >= first &&
      record.index <= last &&
      (verdicts === undefined || verdicts.includes(record.verdict)) &&
      (error === undefined || error === (record.error !== null)) &&
      isRedirectedAs(record, redirect),
    frame: tests.length === 0 ? undefined : (frame, record) => tests.every((test) => test(frame, record)),
  };
}

function isRedirectedAs({ redirect }: PacketRecord, wanted: PacketFilter['redirect']): boolean {
  if (wanted === undefined) return true;
  if (typeof wanted === 'boolean') return wanted === (redirect !== null);
  return redirect !== null && redirectTarget(redirect) === wanted;
}

function protocolTest({ protocols }: PacketFilter): FrameTest | undefined {
  if (protocols === undefined) return undefined;
  const wanted = new Set(protocols.map((name) => name.toLowerCase()));
  return (frame) => {
    const name = protocolName(protocolOf(frame)).toLowerCase();
    return wanted.has(name) || wanted.has(name.slice(name.lastIndexOf(' ') + 1));
  };
}

const ETHERNET_HEADER = 14;

function changeTest({ changed }: PacketFilter, layer: 2 | 3): FrameTest | undefined {
  if (changed === undefined) return undefined;
  return ({ bytes, start, end }, record) => {
    const came = bytes.slice(start, end);
    if (layer === 3) came.fill(0, 0, ETHERNET_HEADER);
    const isSame = record.out_len === came.length && record.out_fnv1a64 === fnv1a64(came);
    return changed !== isSame;
  };
}

function classicTest({ classic }: PacketFilter): FrameTest | undefined {
  if (classic === undefined) return undefined;
  const instance = classicInstance(classic);
  return (frame) => {
    const { error, skipped, retval } = instance.runPacket(frame);
    return error === null && skipped === null && retval !== 0;
  };
}

function classicInstance(text: string): Instance {
  // Else it were an object to `readObject`.
  if (!/^\s*\d/.test(text)) {
    throw new OptionError(
      'bad-filter',
      'the filter is to be numbers, as `tcpdump -ddd` prints them of an expression (`tcpdump -ddd udp port 53`), not the expression',
    );
  }
  try {
    return new Instance(readObject(encodeUtf8(`${text.trim()}\n`)));
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    throw new OptionError('bad-filter', `the filter is to be what \`tcpdump -ddd\` prints: ${error.message}`);
  }
}
