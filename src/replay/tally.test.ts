import { expect, it } from 'vitest';
import { generateCapture } from '../../tools/generate-capture.ts';
import { Instance } from '../engine/instance.ts';
import { assembleObject } from '../engine/read-object.ts';
import { Replay } from './replay.ts';
import { MOST_NAMES } from './tally.ts';

it.each([
  ['verdicts', 'call bpf_get_prandom_u32\nexit'],
  ['redirects', 'call bpf_get_prandom_u32\nr1 = r0\nr2 = 0\ncall bpf_redirect\nexit'],
] as const)('keeps so many %s and no more, whatever a program answers', (table, text) => {
  const packets = MOST_NAMES + 5000;
  const replay = new Replay(new Instance(assembleObject(text, { type: 'xdp' })));
  const options = { packets, size: 64, seed: 1, flows: 1, profile: 'mixed', format: 'pcap' } as const;
  generateCapture(options, (piece) => void replay.push(piece));
  const counts = replay.end()[table];
  expect(Object.keys(counts)).toHaveLength(MOST_NAMES + 1);
  expect(Object.values(counts).reduce((sum, one) => sum + one.packets, 0)).toBe(packets);
});
