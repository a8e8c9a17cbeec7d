import { describe, expect, it } from 'vitest';
import type { MapSpec } from '../object/spec.ts';
import type { Engine } from './instance.ts';
import { type Hook, Pipeline, type PipelineOptions, type Stage } from './pipeline.ts';
import { assembleObject } from './read-object.ts';
import { mapSpecOf, runOn } from './testing.ts';

const XDP_DROP = 'r0 = 1\nexit';
const XDP_PASS = 'r0 = 2\nexit';
const XDP_TX = 'r0 = 3\nexit';
const TC_UNSPEC = 'r0 = -1\nexit';
const TC_OK = 'r0 = 0\nexit';
const TC_SHOT = 'r0 = 2\nexit';
const redirectTo = (ifindex: number, flags = 0) => `r1 = ${ifindex}\nr2 = ${flags}\ncall bpf_redirect\nexit`;

/** XDP puts 42 in front of the packet. */
const LEAVES_METADATA = `
  r6 = r1
  r2 = -4
  call bpf_xdp_adjust_meta
  r2 = *(u32 *)(r6 + 8)
  r3 = *(u32 *)(r6 + 0)
  r4 = r2
  r4 += 4
  if r4 > r3 goto out
  r5 = 42
  *(u32 *)(r2 + 0) = r5
  out: r0 = 2
  exit`;
/** tc takes it for the packet's mark. */
const MARKS_BY_METADATA = `
  r2 = *(u32 *)(r1 + 140)
  r3 = *(u32 *)(r1 + 76)
  r4 = r2
  r4 += 4
  if r4 > r3 goto out
  r5 = *(u32 *)(r2 + 0)
  *(u32 *)(r1 + 8) = r5
  out: r1 = 5
  r2 = 0
  call bpf_redirect
  exit`;
const DROPS_MARK_42_ON_5 = `
  r2 = *(u32 *)(r1 + 8)
  r3 = *(u32 *)(r1 + 40)
  r0 = 0
  if r2 != 42 goto out
  if r3 != 5 goto out
  r0 = 2
  out: exit`;
const COUNTS = `
  r2 = r10
  r2 += -4
  r3 = 0
  *(u32 *)(r10 - 4) = r3
  r1 = map[0]
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
  out: r0 = `;

const stage = (hook: Hook, text: string, more: { ifindex?: number; maps?: readonly MapSpec[] } = {}): Stage => ({
  object: assembleObject(text, { type: hook === 'xdp' ? 'xdp' : 'sched_cls', license: 'GPL', maps: more.maps ?? [] }),
  hook,
  ifindex: more.ifindex,
});

describe.each<Engine>(['interpreter', 'jit'])('a pipeline on the %s', (engine) => {
  const pipeline = (stages: readonly Stage[], options: PipelineOptions = {}) =>
    new Pipeline(stages, { engine, ...options });
  const fateOf = (stages: readonly Stage[], options?: PipelineOptions) => runOn(pipeline(stages, options)).verdict;

  it.each<[string, string, [Hook, string][]]>([
    ['what XDP drops, tc never sees', 'drop', [['xdp', XDP_DROP], ['tc-ingress', TC_OK]]],
    ['what XDP passes goes to tc', 'drop', [['xdp', XDP_PASS], ['tc-ingress', TC_SHOT]]],
    ['without tc it goes up the stack', 'stack', [['xdp', XDP_PASS]]],
    ['TC_ACT_UNSPEC asks the next program', 'drop', [['tc-ingress', TC_UNSPEC], ['tc-ingress', TC_SHOT]]],
    ['TC_ACT_OK asks no other', 'stack', [['tc-ingress', TC_OK], ['tc-ingress', TC_SHOT]]],
    ['the last undecided one lets it pass', 'stack', [['tc-ingress', TC_UNSPEC]]],
    ['a redirect meets tc egress', 'drop', [['tc-ingress', redirectTo(5)], ['tc-egress', TC_SHOT]]],
    ['and leaves where that lets it', 'transmit', [['tc-ingress', redirectTo(5)], ['tc-egress', TC_OK]]],
    ['a frame that XDP transmits passes tc by', 'transmit', [['xdp', XDP_TX], ['tc-egress', TC_SHOT]]],
    ['XDP_REDIRECT without a target is lost', 'drop', [['xdp', 'r0 = 4\nexit']]],
    ['to ingress for ever', 'redirect-loop', [['tc-ingress', redirectTo(1, 1)]]],
  ])('%s: %s', (_what, fate, stages) => {
    expect(fateOf(stages.map(([hook, text]) => stage(hook, text)))).toBe(fate);
  }); // biome-ignore format: a table

  it('sends what XDP transmits through tc egress where that is wanted', () => {
    const stages = [stage('xdp', XDP_TX), stage('tc-egress', TC_SHOT)];
    expect(fateOf(stages, { tcEgressAfterXdp: true })).toBe('drop');
  });

  it('hands metadata, mark and interface from program to program', () => {
    const subject = pipeline([
      stage('xdp', LEAVES_METADATA),
      stage('tc-ingress', MARKS_BY_METADATA),
      stage('tc-egress', DROPS_MARK_42_ON_5),
    ]);
    expect(runOn(subject).verdict).toBe('drop');
    expect(subject.stages.map(({ hook, packets, verdicts }) => [hook, packets, verdicts])).toEqual([
      ['xdp', 1, { XDP_PASS: 1 }],
      ['tc-ingress', 1, { TC_ACT_REDIRECT: 1 }],
      ['tc-egress', 1, { TC_ACT_SHOT: 1 }],
    ]);
  });

  it('programs of one interface do not see another', () => {
    const stages = [stage('tc-ingress', redirectTo(5)), stage('tc-egress', TC_SHOT, { ifindex: 4 })];
    expect(fateOf(stages)).toBe('transmit');
  });

  it('a map that two objects pin by name is one; others with the same name are not', () => {
    const counters = (pinning: number) => [mapSpecOf({ name: 'counters', type: 2, pinning })];
    const counted = (pinning: number) => {
      const subject = pipeline([
        stage('xdp', `${COUNTS}2\nexit`, { maps: counters(pinning) }),
        stage('tc-ingress', `${COUNTS}0\nexit`, { maps: counters(pinning) }),
      ]);
      runOn(subject);
      return subject.dumpMaps().map(({ map, entries }) => [map, entries[0]?.value]);
    };
    expect(counted(1)).toEqual([['counters', '0200000000000000']]);
    expect(counted(0)).toEqual([
      ['counters', '0100000000000000'],
      ['counters@program', '0100000000000000'],
    ]);
  });

  it('counts the instructions of all programs', () => {
    const subject = pipeline([stage('xdp', XDP_PASS), stage('tc-ingress', TC_OK)]);
    runOn(subject);
    expect(subject.executed).toBe(4);
  });

  it('skips a frame that its first hook does not take', () => {
    expect(runOn(pipeline([stage('xdp', XDP_PASS)]), new Uint8Array(13)).skipped).toMatch(/Ethernet/);
  });
});

it.each<[string, RegExp, Stage[], PipelineOptions?]>([
  ['a type that the hook does not take', /tc-ingress takes programs of type sched_cls/, [
    { ...stage('xdp', XDP_PASS), hook: 'tc-ingress' },
  ]],
  ['two XDP programs on an interface', /one XDP program/, [stage('xdp', XDP_PASS), stage('xdp', XDP_PASS)]],
  ['nothing at the start', /nothing stands where packets arrive/, [stage('tc-egress', TC_OK)]],
  ['nothing on this interface', /interface 3/, [stage('xdp', XDP_PASS, { ifindex: 2 })], { ifindex: 3 }],
  ['pinned maps that differ', /pin map counters by name.*valueSize: 8 and 16/, [
    stage('xdp', XDP_PASS, { maps: [mapSpecOf({ name: 'counters', type: 2, pinning: 1 })] }),
    stage('tc-ingress', TC_OK, { maps: [mapSpecOf({ name: 'counters', type: 2, pinning: 1, valueSize: 16 })] }),
  ]],
])('refuses %s', (_what, message, stages, options) => {
  expect(() => new Pipeline(stages, options)).toThrow(message);
}); // biome-ignore format: a table
