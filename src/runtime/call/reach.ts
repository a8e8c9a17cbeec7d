import { RunError } from '../../abi/runner.ts';
import type { LinearMemory } from '../memory/memory.ts';

/** `address` of `size` bytes that the program may read (or write), or a `RunError`. Rounded above 2^53: no such address is. */
export function reach(memory: LinearMemory, address: number, size: number, write: boolean, pc: number): number {
  const region = address <= 0xffff_ffff ? memory.regionOf(address, size) : undefined;
  if (region === undefined || (write && !region.writable)) {
    const verb = write ? 'writes' : 'reads';
    const place = memory.describe(address);
    const why = region === undefined ? "is not all the program's" : 'is read-only';
    throw new RunError('bad-access', pc, `the program ${verb} ${size} bytes at ${place}: that ${why}`);
  }
  return address;
}
