import type { Machine } from '../../abi/machine.ts';
import type { RunnableProgram } from '../../abi/runner.ts';
import type { Immediate64 } from '../../isa/instruction.ts';

/** What a 64-bit immediate is in this instance. */
export function immediateValue(program: RunnableProgram, value: Immediate64): bigint {
  switch (value.type) {
    case 'value':
      return value.value;
    case 'map':
    case 'map-by-index':
      return BigInt(program.mapHandle(value.map));
    case 'map-value':
    case 'map-value-by-index':
      return BigInt(program.mapValue(value.map, value.offset));
    case 'function':
      return BigInt(value.pc);
    case 'ksym':
      return BigInt(program.symbolAddress(value.btfId));
  }
}

/** SKF_NET_OFF and SKF_LL_OFF of linux/filter.h: offsets from the network and the link-layer header. */
const SKF_NET_OFF = -0x100000;
const SKF_LL_OFF = -0x200000;

function legacyAddress({ packet }: Machine, offset: number): number {
  if (offset >= 0) return packet.data + offset;
  if (offset >= SKF_NET_OFF) return packet.skb.networkHeader + offset - SKF_NET_OFF;
  if (offset >= SKF_LL_OFF) return packet.skb.macHeader + offset - SKF_LL_OFF;
  return -1;
}

/** Section 5.5 of RFC 9669: what a legacy load reads, big-endian; undefined beyond the packet, where the program ends. */
export function legacyLoad(machine: Machine, offset: number, size: 1 | 2 | 4): number | undefined {
  const { view } = machine.memory;
  const address = legacyAddress(machine, offset);
  const { packet } = machine;
  if (address < packet.head || address + size > packet.end) return undefined;
  return size === 1 ? view.getUint8(address) : size === 2 ? view.getUint16(address) : view.getUint32(address);
}
