import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ModuleWriter } from '../../wasm/module.ts';
import { flowHash } from '../steering.ts';
import { fillHashTable, HASH_TABLE_BYTES, writeFlowHash } from './flow-hash.ts';

const FRAME_AT = 65536;
const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
fillHashTable(new Uint32Array(memory.buffer, 0, HASH_TABLE_BYTES / 4));
const module = new ModuleWriter();
module.importMemory('memory', 2);
module.export('hash', writeFlowHash(module, 0));
const { hash } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { e: { memory } }).exports as {
  hash(start: number, length: number): number;
};

/** Mostly IP, with options, fragments and ports, of any length. */
const frames = fc
  .record({
    bytes: fc.uint8Array({ minLength: 0, maxLength: 120 }),
    etherType: fc.constantFrom([0x08, 0x00], [0x86, 0xdd], undefined),
    protocol: fc.constantFrom(6, 17, undefined),
    fragment: fc.constantFrom(0, undefined),
  })
  .map(({ bytes, etherType, protocol, fragment }) => {
    const put = (at: number, value: number | undefined) => {
      if (value !== undefined && at < bytes.length) bytes[at] = value;
    };
    etherType?.forEach((value, index) => void put(12 + index, value));
    put(etherType?.[0] === 8 ? 23 : 20, protocol);
    put(20, etherType?.[0] === 8 ? fragment : protocol);
    put(21, fragment);
    return bytes;
  });

it('generated code hashes every frame as steering does', () => {
  const u8 = new Uint8Array(memory.buffer);
  fc.assert(
    fc.property(frames, (bytes) => {
      u8.fill(0xee, FRAME_AT, FRAME_AT + 256);
      u8.set(bytes, FRAME_AT);
      expect(hash(FRAME_AT, bytes.length) >>> 0).toBe(flowHash({ bytes, start: 0, end: bytes.length }));
    }),
    { numRuns: 2000 },
  );
});
