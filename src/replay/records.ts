import type { Redirect } from '../abi/machine.ts';
import { fnv1a64 } from '../base/fnv.ts';
import { type Frame, frameTime } from '../capture/frame.ts';
import type { PacketResult } from '../engine/instance.ts';
import type { Subject } from './subject.ts';
import type { PacketRecord, RedirectRecord } from './tally.ts';

/** One packet as `--packets` writes it. */
export function packetRecord(frame: Frame, result: PacketResult, instance: Subject): PacketRecord {
  return {
    index: frame.index,
    ts_ns: String(frameTime(frame)),
    caplen: frame.end - frame.start,
    verdict: result.verdict,
    retval: result.retval,
    out_len: result.outEnd - result.outStart,
    out_fnv1a64: fnv1a64(instance.memory.u8, result.outStart, result.outEnd),
    redirect: result.redirect === null ? null : redirectRecord(result.redirect),
    error: result.error?.message ?? null,
  };
}

function redirectRecord({ kind, ifindex, map, key, flags, direction }: Redirect): RedirectRecord {
  return { kind, ifindex, map, key, flags: `0x${flags.toString(16)}`, direction };
}

/** Where a redirect leads, in a few words. */
export function redirectTarget({ kind, ifindex, map, key, direction }: Omit<RedirectRecord, 'flags'>): string {
  if (map !== null) return `map ${map} key ${key}`;
  return `${kind === 'ifindex' ? '' : `${kind} `}ifindex ${ifindex}${direction === 'ingress' ? ' ingress' : ''}`;
}
