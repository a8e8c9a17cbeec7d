import { offsetIn, SK_BUFF } from '../abi/context.ts';
import type { Frame } from '../capture/frame.ts';
import { createPcapngWriter, type PacketVerdict, type PcapngWriter, VERDICT_TYPE } from '../capture/pcapng-writer.ts';
import type { EmittedPacket } from '../engine/host.ts';
import type { PacketResult } from '../engine/instance.ts';
import { redirectTarget } from './records.ts';
import type { Subject } from './subject.ts';

/** Blocks that are written as they are, and not copied first. */
const LARGE = 64 * 1024;
const ETHERNET_HEADER = 14;
const ADDRESSES = 12;
const VLAN_TAG = 4;
const VLAN_PRESENT = offsetIn(SK_BUFF, 'vlan_present');
const VLAN_TCI = offsetIn(SK_BUFF, 'vlan_tci');
const VLAN_PROTO = offsetIn(SK_BUFF, 'vlan_proto');

/** Writes packets as they left, each with its verdict, as pcapng that Wireshark reads. */
export class PacketOutput {
  readonly #writer: PcapngWriter;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #interfaceId: number;

  /** `sink` is done with the bytes when it returns. */
  constructor(sink: (bytes: Uint8Array) => void, description: string) {
    this.#sink = sink;
    this.#writer = createPcapngWriter(sink);
    this.#interfaceId = this.#writer.addInterface({ name: 'bpfreplay', description });
  }

  packet(frame: Frame, result: PacketResult, instance: Subject): void {
    const bytes = leavingBytes(frame, result, instance);
    const type = verdictType(instance);
    const target = result.redirect === null ? '' : ` to ${redirectTarget(result.redirect)}`;
    const comment = result.error === null ? `${result.verdict}${target}` : `${result.verdict}: ${result.error.message}`;
    // The code as the program gave it: TC_ACT_UNSPEC is −1.
    const verdict = result.error === null ? { type, value: result.retval | 0 } : undefined;
    this.#write(frame, bytes, verdict, comment);
  }

  /** A copy that the program sent elsewhere. */
  emitted(frame: Frame, { bytes, ifindex, direction }: EmittedPacket): void {
    this.#write(frame, bytes, undefined, `copy to ifindex ${ifindex} ${direction}`);
  }

  /** Blocks of packets that left, as `packet` would write them. */
  append(blocks: Uint8Array): void {
    if (blocks.length < LARGE) this.#writer.append(blocks);
    else {
      this.#writer.end();
      this.#sink(blocks);
    }
  }

  end(): void {
    this.#writer.end();
  }

  #write(
    { seconds, nanoseconds, originalLength, start, end }: Frame,
    bytes: Uint8Array,
    verdict: Parameters<PcapngWriter['write']>[1],
    comment: string,
  ): void {
    // What the capture cut off is still missing.
    const missing = originalLength - (end - start);
    this.#writer.write(
      {
        bytes,
        start: 0,
        end: bytes.length,
        originalLength: bytes.length + missing,
        seconds,
        nanoseconds,
        interfaceId: this.#interfaceId,
      },
      verdict,
      comment,
    );
  }
}

/** First byte of epb_verdict. */
export function verdictType({ programType }: Subject): PacketVerdict['type'] {
  return programType.name === 'xdp' ? VERDICT_TYPE.LINUX_EBPF_XDP : VERDICT_TYPE.LINUX_EBPF_TC;
}

/** The frame on the wire: metadata is left behind, and what the driver would add is put in. */
function leavingBytes(frame: Frame, result: PacketResult, instance: Subject): Uint8Array {
  const { memory, packet, programType, context } = instance;
  if (programType.layer === 3) {
    // The program saw no Ethernet header: the packet keeps the one it came with.
    const bytes = memory.u8.slice(result.outStart, result.outEnd);
    bytes.set(frame.bytes.subarray(frame.start, frame.start + ETHERNET_HEADER));
    return bytes;
  }
  const bytes = memory.u8.subarray(packet.data, packet.end);
  if (programType.context !== SK_BUFF || memory.view.getUint32(context + VLAN_PRESENT, true) === 0) return bytes;
  return withTag(
    bytes,
    memory.view.getUint32(context + VLAN_PROTO, true),
    memory.view.getUint32(context + VLAN_TCI, true),
  );
}

/** A tag that Linux keeps beside the bytes goes behind the addresses when the packet leaves. */
function withTag(bytes: Uint8Array, protocol: number, tci: number): Uint8Array {
  const tagged = new Uint8Array(bytes.length + VLAN_TAG);
  tagged.set(bytes.subarray(0, ADDRESSES));
  tagged.set([protocol & 0xff, (protocol >> 8) & 0xff, (tci >> 8) & 0xff, tci & 0xff], ADDRESSES);
  tagged.set(bytes.subarray(ADDRESSES), ADDRESSES + VLAN_TAG);
  return tagged;
}
