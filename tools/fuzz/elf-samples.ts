import { BtfBuilder } from '../../src/object/btf/btf.builder.ts';
import { ElfBuilder } from '../../src/object/elf.builder.ts';

/** Small objects that between them use everything the reader reads. */

/** Maps from BTF, variables, kconfig, kfuncs, functions that call each other, lines and CO-RE. */
function modern(): Uint8Array {
  const btf = new BtfBuilder();
  const int = btf.int('int', 4, 'signed');
  const uint = (n: number) => btf.ptr(btf.array(int, n));
  const proto = btf.proto(int, [['x', int]]);
  const inner = btf.struct('inner', 24, [
    ['type', uint(2), 0],
    ['max_entries', uint(4), 64],
    ['key', btf.ptr(int), 128],
  ]);
  const hash = btf.struct('', 40, [
    ['type', uint(1), 0],
    ['max_entries', uint(64), 64],
    ['key', btf.ptr(int), 128],
    ['value', btf.ptr(inner), 192],
    ['pinning', uint(1), 256],
  ]); // biome-ignore format: members
  const outer = btf.struct('', 16, [
    ['type', uint(12), 0],
    ['values', btf.array(btf.ptr(inner), 0), 64],
  ]);
  const jumps = btf.struct('', 16, [
    ['type', uint(3), 0],
    ['values', btf.array(btf.ptr(proto), 0), 64],
  ]);
  const maps = [['inner1', inner], ['hash', hash], ['outer', outer], ['jumps', jumps]] as const; // biome-ignore format: pairs
  btf.datasec(
    '.maps',
    maps.map(([name, type]) => [btf.variable(name, type), 0, 0]),
  );
  btf.datasec('.data', [[btf.variable('counter', int), 0, 4]]);
  btf.datasec('.kconfig', [[btf.variable('CONFIG_HZ', int, 2), 0, 0]]);
  btf.datasec('.ksyms', [[btf.func('bpf_rcu_read_lock', proto, 2), 0, 0]]);
  const main = btf.func('main', proto);
  const ext = btf.ext(
    'xdp',
    [[0, main]],
    [[0, 'a.c', 'int main()', 1, 1], [16, 'a.c', 'return 2;', 2, 3]],
    [[0, inner, '0:1', 'field_byte_offset'], [56, inner, '0', 'type_size']],
  ); // biome-ignore format: records
  const elf = new ElfBuilder()
    .code('.text', { f: 'call pc-1\nexit', g: 'call pc-1\nr0 += 1\nexit' })
    .code('xdp', {
      main: 'r1 = 8\nr2 = 0 ll\nr3 = 4 ll\nr4 = 0 ll\nr1 = 24\ncall pc-1\ncall pc-1\nr5 = 16 ll\nr0 = 2\nexit',
      other: 'r0 = 1\nexit',
    })
    .code('?tc', { third: 'r0 = 0\nexit' })
    .section('.maps', new Uint8Array(128))
    .section('.data', new Uint8Array(16))
    .section('.rodata.str1.1', 'hello\0')
    .nobits('.bss', 64)
    .section('license', 'GPL\0')
    .section('.BTF', btf.bytes())
    .section('.BTF.ext', ext)
    .symbol('CONFIG_HZ', null)
    .symbol('bpf_rcu_read_lock', null, { binding: 'weak' })
    .symbol('counter', '.data', { type: 'object', size: 4 })
    .sectionSymbol('.text')
    .sectionSymbol('.data')
    .relocate('.text', 0, 'R_BPF_64_32', 'g')
    .relocate('.text', 16, 'R_BPF_64_32', 'f')
    .relocate('xdp', 8, 'R_BPF_64_64', 'counter')
    .relocate('xdp', 24, 'R_BPF_64_64', '.data')
    .relocate('xdp', 40, 'R_BPF_64_64', 'CONFIG_HZ')
    .relocate('xdp', 64, 'R_BPF_64_32', 'f')
    .relocate('xdp', 72, 'R_BPF_64_32', 'bpf_rcu_read_lock')
    .relocate('xdp', 80, 'R_BPF_64_64', '.text');
  maps.forEach(([name], index) => {
    elf.symbol(name, '.maps', { type: 'object', value: 32 * index, size: 32 });
  });
  return elf.relocate('.maps', 72, 'R_BPF_64_ABS64', 'inner1').relocate('.maps', 112, 'R_BPF_64_ABS64', 'main').bytes();
}

/** Maps of iproute2, a section of tail calls, no BTF. */
function legacy(): Uint8Array {
  const words = (...numbers: number[]) => new Uint8Array(Uint32Array.from(numbers).buffer);
  const none = 0xffffffff;
  return new ElfBuilder()
    .code('classifier', { cls: 'r1 = 0 ll\nr2 = 0 ll\nr0 = 0\nexit' })
    .code('7/3', { tail: 'r0 = 1\nexit' })
    .section('maps', words(2, 4, 4, 1, 0, 42, 0, 0, 1, 12, 4, 4, 2, 0, 0, 2, 42, none, 3, 4, 4, 8, 0, 7, 0, 0, none))
    .section('license', 'GPL\0')
    .symbol('inner', 'maps', { type: 'object', value: 0, size: 36 })
    .symbol('outer', 'maps', { type: 'object', value: 36, size: 36 })
    .symbol('jumps', 'maps', { type: 'object', value: 72, size: 36 })
    .relocate('classifier', 0, 'R_BPF_64_64', 'outer')
    .relocate('classifier', 16, 'R_BPF_64_64', 'jumps')
    .bytes();
}

/** Assembly without types or sizes of symbols. */
function bare(): Uint8Array {
  return new ElfBuilder()
    .code('xdp', { a: 'call l\nexit\nl: r0 = 2\nexit', b: 'r0 = 1\nexit' }, { type: 'notype', size: 0 })
    .bytes();
}

export const ELF_SAMPLES: readonly Uint8Array[] = [modern(), legacy(), bare()];
