import { createPcapngWriter, VERDICT_TYPE } from '../../capture/pcapng-writer.ts';
import { redirectTarget } from '../records.ts';
import type { PacketRecord } from '../tally.ts';
import type { PacketFilter } from './filter.ts';
import { type PickSource, pickPackets } from './pick.ts';

/**
 * Packets as they were captured, each with the verdict that it got (epb_verdict) and what it says in words, as pcapng.
 * `type` is the program's. Throws as `pickPackets`.
 */
export async function* annotatedCapture(
  source: PickSource,
  filter: PacketFilter,
  { type, program }: { readonly type: string; readonly program: string },
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const writer = createPcapngWriter((piece) => pieces.push(piece));
  const interfaceId = writer.addInterface({ name: 'bpfreplay', description: `${type} program ${program}` });
  const kind = type === 'xdp' ? VERDICT_TYPE.LINUX_EBPF_XDP : VERDICT_TYPE.LINUX_EBPF_TC;
  const picked = pickPackets(source, filter, {
    onFrame(frame, record) {
      // The code as the program gave it: TC_ACT_UNSPEC is −1.
      const verdict = record.error === null ? { type: kind, value: record.retval | 0 } : undefined;
      writer.write({ ...frame, interfaceId }, verdict, inWords(record));
    },
  });
  for await (const _ of picked) yield* pieces.splice(0);
  writer.end();
  yield* pieces;
}

function inWords({ verdict, redirect, error }: PacketRecord): string {
  if (error !== null) return `${verdict}: ${error}`;
  return redirect === null ? verdict : `${verdict} to ${redirectTarget(redirect)}`;
}
