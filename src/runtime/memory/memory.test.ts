import { describe, expect, it } from 'vitest';
import { LinearMemory, MemoryPlan } from './memory.ts';

function memoryWithValues() {
  const plan = new MemoryPlan(2 ** 20);
  const stack = plan.allot('stack', 512);
  const values = plan.allot('values', 8 * 24);
  const memory = new LinearMemory(plan);
  memory.addRegion({ name: 'stack', start: stack.start, end: stack.start + 512, writable: true, stride: 0, size: 0 });
  const region = {
    name: 'value of map m',
    start: values.start,
    end: values.start + 192,
    writable: true,
    stride: 24,
    size: 20,
  };
  memory.addRegion(region);
  return { memory, stack: stack.start, values: values.start };
}

describe('LinearMemory', () => {
  const { memory, stack, values } = memoryWithValues();
  const touch = (address: number, size: number) => memory.regionOf(address, size)?.name;

  it('knows whose an address is', () => {
    expect(touch(stack, 8)).toBe('stack');
    expect(touch(stack + 504, 8)).toBe('stack');
    expect(touch(stack + 505, 8)).toBeUndefined();
    expect(touch(stack - 1, 1)).toBeUndefined();
    expect(touch(0, 1)).toBeUndefined();
    expect(touch(2 ** 32 - 4, 4)).toBeUndefined();
  });

  it('does not let an access cross from one map value into the next', () => {
    expect(touch(values + 24, 20)).toBe('value of map m');
    expect(touch(values + 24, 21)).toBeUndefined();
    expect(touch(values + 20, 1)).toBeUndefined();
  });

  it('says where an address lies', () => {
    expect(memory.describe(8)).toBe('null + 8');
    expect(memory.describe(stack + 16)).toBe('stack at offset 16 of 512 bytes');
  });
});

it('a plan beyond the limit says which bound and how to raise it', () => {
  const plan = new MemoryPlan(2 ** 20);
  expect(() => plan.allot('map flows', 2 ** 21)).toThrow(
    /map flows takes 2097152 bytes.*limit is 1048576.*--max-memory/,
  );
});
