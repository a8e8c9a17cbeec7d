import { errnoName } from '../abi/errno.ts';
import type { Machine } from '../abi/machine.ts';
import type { BpfMap } from '../abi/map.ts';
import type { Region } from '../abi/memory.ts';
import { formatValue } from '../object/btf/value.ts';
import type { Program } from '../program/program.ts';
import type { Origin, Source } from './origins.ts';

/** A machine whose memory tells what lies where. */
export interface SeenMachine extends Machine {
  readonly memory: Machine['memory'] & { regionOf(address: number, size: number): Region | undefined };
}

/** Bytes that are shown of what is longer. */
const MOST_BYTES = 64;
/** Above it, a number is shown in hexadecimal too. */
const SMALL = 9n;
/** Fields of contexts that hold addresses. */
const ADDRESSES: ReadonlySet<string> = new Set(['data', 'data_end', 'data_meta', 'sk', 'flow_keys']);
const LOWEST_ERRNO = -4095n;

/** Addresses, values and bytes of a machine in words. */
export class Sight {
  readonly #machine: SeenMachine;
  readonly #program: Program;

  constructor(machine: SeenMachine, program: Program) {
    this.#machine = machine;
    this.#program = program;
  }

  /** `packet[12..13]`, `ctx->mark`, `value of map flows[8..15]`; null of the stack. */
  place(address: number, size: number): string | null {
    const spot = this.#spot(address, size);
    if (spot === null || spot.at === null) return spot?.name ?? null;
    return span(spot.name, spot.at, size);
  }

  /** What is read there; null of the stack. */
  source(address: number, size: number): Source | null {
    const spot = this.#spot(address, size);
    if (spot === null) return null;
    return { name: spot.name, bytes: spot.at === null ? null : { from: spot.at, hex: this.bytes(address, size) } };
  }

  #spot(address: number, size: number): { readonly name: string; readonly at: number | null } | null {
    const { memory, packet } = this.#machine;
    const region = memory.regionOf(address, size);
    if (region === undefined) return { name: `0x${address.toString(16)}`, at: null };
    if (region.name === 'stack') return null;
    if (region === packet.region) return { name: 'packet', at: address - packet.data };
    const field = this.#field(address);
    if (field !== undefined) return { name: `ctx->${field}`, at: null };
    return { name: region.name, at: offsetIn(region, address) };
  }

  /** Whether the word of the context at this address holds one. */
  holdsAddress(address: number): boolean {
    return ADDRESSES.has(this.#field(address) ?? '');
  }

  #field(address: number): string | undefined {
    const { context, programType } = this.#machine;
    const { fields, size } = programType.context;
    const at = address - context;
    if (at < 0 || at >= size) return undefined;
    return fields.find((each) => at >= each.offset && at < each.offset + each.size * each.count)?.name;
  }

  /** A value of a register, of which so many bits count, and where it came from. */
  value(value: bigint, origin: Origin, bits: 32 | 64 = 64, isSigned = false): string {
    if (origin.pointer) return this.pointer(value);
    const from = origin.from.length === 0 ? '' : `, from ${origin.from.map(sourceText).join(' and ')}`;
    const signed = BigInt.asIntN(bits, value);
    return `${isSigned && signed < 0n ? `${signed}` : numberText(BigInt.asUintN(bits, value))}${from}`;
  }

  pointer(value: bigint): string {
    if (value === 0n) return 'null';
    const { packet, context, memory } = this.#machine;
    const address = Number(value);
    if (address === context) return 'ctx';
    const map = this.map(address);
    if (map !== undefined) return `map ${map.spec.name}`;
    if (address >= packet.head && address <= packet.limit) {
      const offset = address - packet.data;
      return `packet${offset < 0 ? '' : '+'}${offset}${address === packet.end ? ' (its end)' : ''}`;
    }
    const region = memory.regionOf(address, 1);
    if (region === undefined) return `0x${value.toString(16)}`;
    if (region.name === 'stack') return 'the stack';
    const offset = offsetIn(region, address);
    return offset === 0 ? region.name : `${region.name}+${offset}`;
  }

  map(handle: number): BpfMap | undefined {
    return this.#machine.mapAt(handle);
  }

  /** `0800`, in memory order, as maps are shown and keyed. */
  bytes(address: number, size: number): string {
    const { u8 } = this.#machine.memory;
    const shown = u8.subarray(address, address + Math.min(size, MOST_BYTES)).toHex();
    return size > MOST_BYTES ? `${shown}…` : shown;
  }

  /** Bytes of a key or a value, and what they mean by the map's types. */
  typed(address: number, size: number, btfId: number | null): string {
    const { btf } = this.#program;
    const hex = this.bytes(address, size);
    if (btf === null || btfId === null) return hex;
    const bytes = this.#machine.memory.u8.slice(address, address + size);
    return `${hex} (${cut(JSON.stringify(formatValue(btf, btfId, bytes)))})`;
  }
}

/** What a call gave as an integer: negative errors by name. */
export function resultText(value: bigint): string {
  const signed = BigInt.asIntN(64, value);
  if (signed >= 0n || signed < LOWEST_ERRNO) return numberText(value);
  const name = errnoName(Number(-signed));
  return name === undefined ? `${signed}` : `${signed} (${name})`;
}

function numberText(value: bigint): string {
  return value > SMALL ? `${value} (0x${value.toString(16)})` : `${value}`;
}

function sourceText({ name, bytes }: Source): string {
  return bytes === null ? name : `${span(name, bytes.from, bytes.hex.length / 2)} (${bytes.hex})`;
}

/** Of an array of values, within one of them. */
function offsetIn({ start, stride }: Region, address: number): number {
  return stride === 0 ? address - start : (address - start) % stride;
}

function span(name: string, offset: number, size: number): string {
  return size === 1 ? `${name}[${offset}]` : `${name}[${offset}..${offset + size - 1}]`;
}

const MOST_TEXT = 200;

function cut(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`;
}
