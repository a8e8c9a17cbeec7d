import { CONTROL_BYTES, SLOTS } from '../../abi/control.ts';
import type { Symbols } from '../../wasm/text.ts';
import type { JitOptions } from './environment.ts';

/** Below lie handles and other small numbers. */
const FIRST_ADDRESS = 65536;

/** Names of addresses in generated code, which stay when the memory is laid out otherwise. */
export function symbolsOf({ memory, stack, control }: JitOptions): Symbols {
  const slots = Object.entries(SLOTS).sort(([, one], [, other]) => other - one);
  return (address) => {
    if (address < FIRST_ADDRESS) return undefined;
    if (address >= control && address < control + CONTROL_BYTES) {
      const [name, slot] = slots.find(([, first]) => control + 8 * first <= address)!;
      return plus(`control.${name}`, address - control - 8 * slot);
    }
    if (address >= stack.start && address <= stack.end) return plus('stack', address - stack.start);
    const region = address <= 0xffff_ffff ? memory.regionOf(address, 1) : undefined;
    return region === undefined ? undefined : plus(region.name.replaceAll(' ', '_'), address - region.start);
  };
}

const plus = (name: string, offset: number) => (offset === 0 ? name : `${name}+${offset}`);
