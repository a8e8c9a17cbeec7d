import type { ArgumentKind } from '../abi/helper.ts';
import type { KfuncArgument } from '../abi/kfunc.ts';
import type { BpfMap } from '../abi/map.ts';
import type { Origin } from './origins.ts';
import { resultText, type Sight } from './sight.ts';

export type Kind = ArgumentKind | KfuncArgument;

/** Memory that a helper reads, of the size that the next argument gives. */
const SIZED: ReadonlySet<Kind> = new Set(['mem', 'mem?']);
/** Kinds that are addresses, whatever became of the register. */
const ADDRESSES: ReadonlySet<Kind> = new Set(['ctx', 'ctx?', 'map', 'value-out', 'mem-out', 'mem-out?']);

/** What a helper or kernel function is given, before it runs: keys and values by their bytes. */
export function argumentTexts(
  args: readonly Kind[],
  registers: BigUint64Array,
  sight: Sight,
  origins: readonly Origin[],
): string[] {
  let map: BpfMap | undefined;
  return args.map((kind, index) => {
    const value = registers[index + 1]!;
    const address = Number(value);
    if (kind === 'map') map = sight.map(address);
    if (map !== undefined && value !== 0n) {
      const { keySize, keyBtfId, valueSize, valueBtfId } = map.spec;
      if (kind === 'key' && keySize > 0) return `key ${sight.typed(address, keySize, keyBtfId)}`;
      if (kind === 'value' || kind === 'value?') return `value ${sight.typed(address, valueSize, valueBtfId)}`;
    }
    if (SIZED.has(kind))
      return value === 0n ? 'null' : sight.bytes(address, Number(registers[index + 2]! & 0xffff_ffffn));
    if (ADDRESSES.has(kind) || origins[index]?.pointer === true) return sight.pointer(value);
    return kind === 'u32' || kind === 'size' || kind === 'size0'
      ? resultText(value & 0xffff_ffffn)
      : resultText(kind === 's32' ? BigInt.asUintN(64, BigInt.asIntN(32, value)) : value);
  });
}
