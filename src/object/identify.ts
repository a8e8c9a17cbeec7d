import { decodeUtf8, Reader } from '../base/bytes.ts';

/** ELF e_machine (gABI, chapter 4 and the registry it names), the ones a user is likely to have at hand. */
export const EM_BPF = 247;

const machines: Readonly<Record<number, string>> = {
  2: 'SPARC',
  3: '32-bit x86',
  8: 'MIPS',
  20: 'PowerPC',
  21: '64-bit PowerPC',
  22: 's390',
  40: 'ARM',
  43: '64-bit SPARC',
  62: 'x86-64',
  183: 'AArch64',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};

const fileTypes: Readonly<Record<number, string>> = {
  1: 'object file',
  2: 'executable',
  3: 'shared library or executable',
  4: 'core dump',
};

/** What else arrives where an object is expected, by its first bytes, and what would help. */
const magics: readonly (readonly [bytes: readonly number[], name: string, help: string])[] = [
  [[0x42, 0x43, 0xc0, 0xde], 'LLVM bitcode', 'Compile it down to an object: llc -march=bpf -filetype=obj, or clang -target bpf without -emit-llvm and -flto'],
  [[0xde, 0xc0, 0x17, 0x0b], 'wrapped LLVM bitcode', 'Compile it down to an object with llc -march=bpf -filetype=obj'],
  [[0xd4, 0xc3, 0xb2, 0xa1], 'a pcap capture', 'The object comes first, the capture second'],
  [[0xa1, 0xb2, 0xc3, 0xd4], 'a pcap capture', 'The object comes first, the capture second'],
  [[0x4d, 0x3c, 0xb2, 0xa1], 'a pcap capture', 'The object comes first, the capture second'],
  [[0xa1, 0xb2, 0x3c, 0x4d], 'a pcap capture', 'The object comes first, the capture second'],
  [[0x0a, 0x0d, 0x0d, 0x0a], 'a pcapng capture', 'The object comes first, the capture second'],
  [[0x1f, 0x8b], 'a gzip file', 'Unpack it first'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'an xz file', 'Unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'a zstd file', 'Unpack it first'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip file', 'Unpack it first'],
  [[0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e], 'an ar archive', 'Take the object out of it: ar x'],
  [[0x9f, 0xeb], 'raw BTF', 'BTF alone holds no program; the object that has the programs is wanted'],
  [[0x00, 0x61, 0x73, 0x6d], 'a WebAssembly module', 'Compile with clang -target bpf'],
  [[0x4d, 0x5a], 'a Windows executable', 'Compile with clang -target bpf'],
  [[0xcf, 0xfa, 0xed, 0xfe], 'a Mach-O file', 'Compile with clang -target bpf'],
  [[0x23, 0x21], 'a script', 'Give the object that it builds'],
]; // biome-ignore format: a table

const COMPILE = 'Compile the program with clang -O2 -g -target bpf -c';

/** Says in words what a file is that is no ELF64 little-endian BPF object, and what would help. */
export function identify(bytes: Uint8Array): { readonly is: string; readonly help: string } {
  if (bytes.length === 0) return { is: 'an empty file', help: COMPILE };
  if (isElf(bytes)) return identifyElf(bytes);
  for (const [magic, is, help] of magics) {
    if (magic.every((byte, index) => bytes[index] === byte)) return { is, help };
  }
  const head = bytes.subarray(0, 4096);
  if (head.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d))) {
    const source = /SEC\(|#include|section\s*\(/.test(decodeUtf8(head));
    return { is: source ? 'C source' : 'a text file', help: COMPILE };
  }
  return { is: `not ELF: it starts with ${hex(bytes.subarray(0, 4))}`, help: COMPILE };
}

/** The four bytes at the start of every ELF file (gABI, e_ident). */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

function identifyElf(bytes: Uint8Array): { is: string; help: string } {
  if (bytes.length < 20) return { is: `an ELF file cut off after ${bytes.length} bytes`, help: 'Copy it again, whole' };
  const bits = bytes[4] === 1 ? '32-bit ' : bytes[4] === 2 ? '' : 'unknown-class ';
  const littleEndian = bytes[5] !== 2;
  const order = littleEndian ? '' : 'big-endian ';
  const reader = new Reader(bytes, littleEndian);
  const machine = reader.u16(18);
  const name = machines[machine] ?? `machine ${machine}`;
  const is = `a ${bits}${order}${name} ${fileTypes[reader.u16(16)] ?? 'ELF file'}`.replace(/^a (?=[Axa])/, 'an ');
  const help =
    machine === EM_BPF && !littleEndian ? 'Build it little-endian: clang -target bpfel' : `${COMPILE}; -target bpfel`;
  return { is, help: machine === EM_BPF ? help : COMPILE };
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
