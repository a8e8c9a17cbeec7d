import type { Case } from '../cases.ts';

export const walkCases: readonly Case[] = [
  ['a loop with a bound', 'xdp', 'r0 = 0; l: r0 += 1; if r0 < 100 goto l; exit', 'accept'],
  ['a loop without an end', 'xdp', 'r0 = 0; l: goto l', 'infinite-loop at 1'],
  [
    'a loop whose condition never changes',
    'xdp',
    'r0 = *(u32 *)(r1 + 12); l: if r0 == 5 goto m; goto l; m: exit',
    'infinite-loop at 1',
  ],
  ['a loop too long', 'xdp', 'r0 = 0; l: r0 += 1; if r0 < 1000000 goto l; exit', 'too-complex at 2'],
  ['a loop that counts down', 'xdp', 'r0 = 50; l: r0 -= 1; if r0 != 0 goto l; exit', 'accept'],
  [
    'a loop over the packet',
    'xdp',
    'r2 = *(u32 *)(r1 + 0); r3 = *(u32 *)(r1 + 4); r4 = 0; r0 = 0; l: r5 = r2; r5 += 1; if r5 > r3 goto m; r5 = *(u8 *)(r2 + 0); r0 += r5; r2 += 1; r4 += 1; if r4 < 20 goto l; m: r0 = 0; exit',
    'accept',
  ],
  [
    'branches that meet again',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); r0 = 0; if r2 & 1 goto +1; r0 += 1; if r2 & 2 goto +1; r0 += 1; if r2 & 4 goto +1; r0 += 1; if r2 & 8 goto +1; r0 += 1; exit',
    'accept',
  ],
  [
    'what was decided on one path is not on another',
    'xdp',
    'r2 = *(u32 *)(r1 + 12); r3 = 0; if r2 == 7 goto a; r3 = 100; a: r4 = 0; r4 = 1; r4 = 2; r4 = 3; r4 = 4; r4 = 5; if r2 == 9 goto b; r4 = 6; b: r1 = map[single][0]+0 ll; r1 += r3; r0 = *(u8 *)(r1 + 0); exit',
    'out-of-bounds at 15',
  ],
  ['may_goto ends a loop', 'xdp', 'r0 = 0; l: may_goto m; r0 += 1; goto l; m: exit', 'accept'],
  [
    'a loop without an end is seen where all registers are as before, dead ones too',
    'xdp',
    'r6 = r1; r0 = *(u32 *)(r6 + 16); if r0 > 28 goto e; r8 = *(u32 *)(r6 + 16); if r8 > 63 goto e; r5 = r8; r7 = 1; l: r8 = *(u32 *)(r6 + 12); if r7 s< 3 goto l; e: exit',
    'infinite-loop at 8',
  ],
];
