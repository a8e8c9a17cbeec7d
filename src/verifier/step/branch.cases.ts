import type { Case } from '../cases.ts';

export const branchCases: readonly Case[] = [
  [
    'bounds learned from a copy',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); r3 = r2; if r3 > 40 goto l; r1 = map[single][0]+0 ll; r1 += r2; r0 = *(u8 *)(r1 + 0); exit; l: r0 = 0; exit',
    'accept',
  ],
  [
    'bounds learned through a constant distance',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); r3 = r2; r3 += 8; if r2 > 40 goto l; r1 = map[single][0]+0 ll; r1 += r3; r0 = *(u8 *)(r1 - 1); exit; l: r0 = 0; exit',
    'accept',
  ],
  [
    'bounds learned back from a distance',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); r3 = r2; r3 += 8; if r3 > 48 goto l; if r3 < 8 goto l; r1 = map[single][0]+0 ll; r1 += r2; r0 = *(u8 *)(r1 + 0); exit; l: r0 = 0; exit',
    'accept',
  ],
  [
    'a copy of 32 bits of a wide number',
    'xdp',
    'call bpf_ktime_get_ns; w3 = w0; if r3 > 40 goto l; r1 = map[single][0]+0 ll; r1 += r0; r0 = *(u8 *)(r1 + 0); exit; l: r0 = 0; exit',
    'pointer-unbounded at 5',
  ],
  ['a branch that cannot be taken', 'xdp', 'r2 = 5; if r2 == 5 goto l; r0 = r9; exit; l: r0 = 0; exit', 'accept'],
  [
    'null found by comparing with null',
    'xdp',
    '*(u32 *)(r10 - 4) = 9; r2 = r10; r2 += -4; r1 = map[values] ll; call bpf_map_lookup_elem; if r0 == 0 goto l; r0 = *(u8 *)(r0 + 0); exit; l: exit',
    'accept',
  ],
  [
    'null of a copy',
    'xdp',
    '*(u32 *)(r10 - 4) = 9; r2 = r10; r2 += -4; r1 = map[values] ll; call bpf_map_lookup_elem; r6 = r0; if r0 != 0 goto l; r0 = 0; exit; l: r0 = *(u8 *)(r6 + 0); exit',
    'accept',
  ],
  [
    'null compared in 32 bits',
    'xdp',
    '*(u32 *)(r10 - 4) = 9; r2 = r10; r2 += -4; r1 = map[values] ll; call bpf_map_lookup_elem; if w0 == 0 goto l; r0 = *(u8 *)(r0 + 0); exit; l: r0 = 0; exit',
    'null-pointer at 7',
  ],
  [
    'null compared with one',
    'xdp',
    '*(u32 *)(r10 - 4) = 9; r2 = r10; r2 += -4; r1 = map[values] ll; call bpf_map_lookup_elem; if r0 == 1 goto l; r0 = *(u8 *)(r0 + 0); exit; l: r0 = 0; exit',
    'null-pointer at 7',
  ],
  [
    'not null because equal to what is not',
    'xdp',
    '*(u32 *)(r10 - 4) = 9; r2 = r10; r2 += -4; r1 = map[values] ll; call bpf_map_lookup_elem; r6 = map[single][0]+0 ll; if r0 != r6 goto l; r0 = *(u8 *)(r0 + 0); exit; l: r0 = 0; exit',
    'accept',
  ],
  [
    'a pointer to a value is never null',
    'xdp',
    'r6 = map[single][0]+0 ll; if r6 != 0 goto l; r0 = r9; exit; l: r0 = 0; exit',
    'accept',
  ],
  [
    'a pointer to the stack might be, for Linux',
    'xdp',
    'r6 = r10; if r6 != 0 goto l; r0 = r9; exit; l: r0 = 0; exit',
    'uninitialised-register at 2',
  ],
  [
    'bits tested',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); if r2 & 0xffffffc0 goto l; r1 = map[single][0]+0 ll; r1 += r2; r0 = *(u8 *)(r1 - 16); l: r0 = 0; exit',
    'out-of-bounds at 5',
  ],
  [
    'bits tested clear',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); if r2 & 0xffffffe0 goto l; r1 = map[single][0]+0 ll; r1 += r2; r0 = *(u8 *)(r1 + 16); exit; l: r0 = 0; exit',
    'accept',
  ],
];
