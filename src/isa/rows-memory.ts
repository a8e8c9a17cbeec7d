import type { AtomicOp, Immediate64, Size } from './instruction.ts';
import { type Fields, LD, LDX, type Row, row, SIZE_BITS, ST, STX } from './row.ts';

/** Modes (section 5.1, table 10), and the bit that makes an atomic operation fetch (section 5.3). */
const IMM = 0x00;
const ABS = 0x20;
const IND = 0x40;
const MEM = 0x60;
const MEMSX = 0x80;
const ATOMIC = 0xc0;
const FETCH = 0x01;

/** Section 5.1 to 5.2: load and store of each size; sign-extending loads of 1, 2 and 4 bytes. */
export function memory(): Row[] {
  const load = (size: Size, signed: boolean) =>
    row<'load'>(
      'load',
      LDX | (signed ? MEMSX : MEM) | SIZE_BITS[size],
      {},
      'dst src off',
      ({ dst, src, off }) => ({ kind: 'load', size, signed, dst, src, offset: off }),
      ({ dst, src, offset }) => ({ dst, src, off: offset }),
    );
  const store = (size: Size) => [
    row<'store'>(
      'store',
      STX | MEM | SIZE_BITS[size],
      {},
      'dst src off',
      ({ dst, src, off }) => ({ kind: 'store', size, dst, offset: off, src: { reg: src } }),
      ({ dst, src, offset }) => ({ dst, src: 'reg' in src ? src.reg : 0, off: offset }),
    ),
    row<'store'>(
      'store',
      ST | MEM | SIZE_BITS[size],
      {},
      'dst imm off',
      ({ dst, imm, off }) => ({ kind: 'store', size, dst, offset: off, src: { imm } }),
      ({ dst, src, offset }) => ({ dst, imm: 'imm' in src ? src.imm : 0, off: offset }),
    ),
  ];
  return ([1, 2, 4, 8] as const).flatMap((size) => [
    load(size, false),
    ...(size === 8 ? [] : [load(size, true)]),
    ...store(size),
  ]);
}

/** Section 5.3, tables 11 and 12; the sizes each operation has. */
const ATOMIC_OPS: readonly [op: AtomicOp, imm: number, fetch: boolean, sizes: readonly Size[]][] = [
  ['add', 0x00, false, [4, 8]],
  ['add', 0x00 | FETCH, true, [4, 8]],
  ['or', 0x40, false, [4, 8]],
  ['or', 0x40 | FETCH, true, [4, 8]],
  ['and', 0x50, false, [4, 8]],
  ['and', 0x50 | FETCH, true, [4, 8]],
  ['xor', 0xa0, false, [4, 8]],
  ['xor', 0xa0 | FETCH, true, [4, 8]],
  ['xchg', 0xe0 | FETCH, true, [4, 8]],
  ['cmpxchg', 0xf0 | FETCH, true, [4, 8]],
  // Linux 6.15, of every size. The address is in src for a load, in dst for a store.
  ['load_acq', 0x100, false, [1, 2, 4, 8]],
  ['store_rel', 0x110, false, [1, 2, 4, 8]],
];

export function atomics(): Row[] {
  return ATOMIC_OPS.flatMap(([op, imm, fetch, sizes]) =>
    sizes.map((size) =>
      row<'atomic'>(
        'atomic operation',
        STX | ATOMIC | SIZE_BITS[size],
        { imm },
        'dst src off',
        ({ dst, src, off }) => ({ kind: 'atomic', op, size, fetch, dst, offset: off, src }),
        ({ dst, src, offset }) => ({ dst, src, off: offset }),
      ),
    ),
  );
}

/** Section 5.5. */
export function packetLoads(): Row[] {
  return ([1, 2, 4] as const).flatMap((size) => [
    row<'packet'>(
      'packet load',
      LD | ABS | SIZE_BITS[size],
      {},
      'imm',
      ({ imm }) => ({ kind: 'packet', mode: 'abs', size, src: 0, imm }),
      ({ imm }) => ({ imm }),
    ),
    row<'packet'>(
      'packet load',
      LD | IND | SIZE_BITS[size],
      {},
      'src imm',
      ({ src, imm }) => ({ kind: 'packet', mode: 'ind', size, src, imm }),
      ({ src, imm }) => ({ src, imm }),
    ),
  ]);
}

type Wide<T extends Immediate64['type']> = Extract<Immediate64, { type: T }>;

/** Section 5.4, table 13, and BPF_PSEUDO_* of linux/bpf.h; `src` selects the meaning and names no register. */
export function wideImmediates(): Row[] {
  const wide = <T extends Immediate64['type']>(
    src: number,
    uses: string,
    read: (fields: Fields, pc: number) => Wide<T>,
    write: (value: Wide<T>, pc: number) => Partial<Fields>,
  ) =>
    row<'imm64'>(
      '64-bit immediate',
      LD | IMM | SIZE_BITS[8],
      { src },
      `dst ${uses}`,
      (fields, pc) => ({ kind: 'imm64', dst: fields.dst, value: read(fields, pc) }),
      ({ dst, value }, pc) => ({ dst, ...write(value as Wide<T>, pc) }),
    );
  return [
    wide<'value'>(
      0,
      'imm next',
      ({ imm, next }) => ({ type: 'value', value: (BigInt(next >>> 0) << 32n) | BigInt(imm >>> 0) }),
      ({ value }) => ({ imm: Number(BigInt.asIntN(32, value)), next: Number(BigInt.asIntN(32, value >> 32n)) }),
    ),
    wide<'map'>(
      1,
      'imm',
      ({ imm }) => ({ type: 'map', map: imm }),
      ({ map }) => ({ imm: map }),
    ),
    wide<'map-value'>(
      2,
      'imm next',
      ({ imm, next }) => ({ type: 'map-value', map: imm, offset: next >>> 0 }),
      ({ map, offset }) => ({ imm: map, next: offset | 0 }),
    ),
    wide<'ksym'>(
      3,
      'imm',
      ({ imm }) => ({ type: 'ksym', btfId: imm }),
      ({ btfId }) => ({ imm: btfId }),
    ),
    wide<'function'>(
      4,
      'imm',
      ({ imm }, pc) => ({ type: 'function', pc: pc + imm + 1 }),
      (value, pc) => ({ imm: value.pc - pc - 1 }),
    ),
    wide<'map-by-index'>(
      5,
      'imm',
      ({ imm }) => ({ type: 'map-by-index', map: imm }),
      ({ map }) => ({ imm: map }),
    ),
    wide<'map-value-by-index'>(
      6,
      'imm next',
      ({ imm, next }) => ({ type: 'map-value-by-index', map: imm, offset: next >>> 0 }),
      ({ map, offset }) => ({ imm: map, next: offset | 0 }),
    ),
  ];
}
