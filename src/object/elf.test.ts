import { describe, expect, it } from 'vitest';
import { encodeUtf8 } from '../base/bytes.ts';
import { ElfBuilder } from './elf.builder.ts';
import { loadDefaults, loadObject } from './object.ts';

const simple = () => new ElfBuilder().code('xdp', { pass: 'r0 = 2\nexit' }).bytes();

/** The object with bytes of its header changed. */
function changed(...patches: [offset: number, value: number][]): Uint8Array {
  const bytes = simple();
  for (const [offset, value] of patches) bytes[offset] = value;
  return bytes;
}

describe('what is no BPF object is called by its name', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /an empty file/],
    ['an x86-64 executable', changed([16, 2], [18, 62]), /this is an x86-64 executable.*clang -O2 -g -target bpf/],
    ['an AArch64 object', changed([18, 183]), /an AArch64 object file/],
    ['a 32-bit object', changed([4, 1]), /a 32-bit BPF object file/],
    ['big-endian BPF', changed([5, 2], [16, 0], [17, 1], [18, 0], [19, 247]), /a big-endian BPF object file.*bpfel/],
    ['a shared library', changed([16, 3]), /ELF type 3 .*bpftool gen object/],
    ['LLVM bitcode', Uint8Array.of(0x42, 0x43, 0xc0, 0xde, 0x35), /LLVM bitcode.*llc/],
    ['a pcap', Uint8Array.of(0xd4, 0xc3, 0xb2, 0xa1, 2, 0), /a pcap capture.*capture second/],
    ['a pcapng', Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a), /a pcapng capture/],
    ['C source', encodeUtf8('#include <linux/bpf.h>\nint x;\n'), /C source/],
    ['an ELF file cut in its header', simple().subarray(0, 12), /an ELF file cut off after 12 bytes/],
    ['something else', Uint8Array.of(0xca, 0xfe, 0xba, 0xbe), /not ELF: it starts with ca fe ba be/],
  ])('%s', (_, bytes, message) => {
    expect(() => loadObject(bytes)).toThrowError(message);
  });
});

it('every prefix of an object is refused with a LoadError', () => {
  const whole = simple();
  for (let length = 0; length < whole.length; length++) {
    expect(() => loadObject(whole.subarray(0, length)), `${length} bytes`).toThrowError(
      expect.objectContaining({ name: 'LoadError' }),
    );
  }
});

describe('hostile headers', () => {
  const sectionHeader = (bytes: Uint8Array, index: number) =>
    new DataView(bytes.buffer, Number(new DataView(bytes.buffer).getBigUint64(40, true)) + 64 * index, 64);

  it('a section outside of the file names itself and where', () => {
    const bytes = simple();
    sectionHeader(bytes, 1).setBigUint64(32, 1n << 40n, true);
    expect(() => loadObject(bytes)).toThrowError(/elf: section 1 \(1099511627776 bytes at 64\) ends outside/);
  });

  it('sections that share bytes are refused: each would be read again and again', () => {
    const bytes = simple();
    for (const index of [1, 2]) {
      sectionHeader(bytes, index).setBigUint64(24, 0n, true);
      sectionHeader(bytes, index).setBigUint64(32, BigInt(bytes.length - 8), true);
    }
    expect(() => loadObject(bytes)).toThrowError(/sections share bytes of the file/);
  });

  it('a .bss larger than the bound is refused before it is allocated', () => {
    const bytes = (size: number) => new ElfBuilder().nobits('.bss', size).bytes();
    expect(() => loadObject(bytes(2 ** 45))).toThrowError(/variables take more than the 67108864 bytes.*maxSize/);
    expect(() => loadObject(bytes(loadDefaults.maxSize + 1))).toThrowError(/Raise option maxSize/);
  });

  it('each bound can be set, and says how to raise it', () => {
    const bytes = simple();
    expect(() => loadObject(bytes, { maxSize: 64 })).toThrowError(/Raise option maxSize/);
    expect(() => loadObject(bytes, { maxSymbols: 1 })).toThrowError(
      /2 symbols, more than the 1.*Raise option maxSymbols/,
    );
    expect(() => loadObject(bytes, { maxInstructions: 1 })).toThrowError(/Raise option maxInstructions/);
    const related = new ElfBuilder().section('.data', 'abcd').code('xdp', { pass: 'r1 = 0 ll\nr0 = 2\nexit' });
    related.symbol('v', '.data').relocate('xdp', 0, 'R_BPF_64_64', 'v');
    expect(() => loadObject(related.bytes(), { maxRelocations: 0 })).toThrowError(/Raise option maxRelocations/);
  });
});
