import { expect, it } from 'vitest';
import { generateCapture } from '../../tools/generate-capture.ts';
import { MOST_NAMES } from '../base/names.ts';
import { Instance } from '../engine/instance.ts';
import { Pipeline } from '../engine/pipeline.ts';
import { assembleObject } from '../engine/read-object.ts';
import { Replay } from './replay.ts';

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

it('keeps so many verdicts of each program of a pipeline and no more', () => {
  const packets = MOST_NAMES + 100;
  const object = assembleObject('call bpf_get_prandom_u32\nexit', { type: 'xdp' });
  const pipeline = new Pipeline([{ object }]);
  const replay = new Replay(pipeline);
  const options = { packets, size: 64, seed: 1, flows: 1, profile: 'mixed', format: 'pcap' } as const;
  generateCapture(options, (piece) => void replay.push(piece));
  const { verdicts } = replay.end().stages![0]!;
  expect(Object.keys(verdicts)).toHaveLength(MOST_NAMES + 1);
  expect(Object.values(verdicts).reduce((sum, one) => sum + one, 0)).toBe(packets);
});
