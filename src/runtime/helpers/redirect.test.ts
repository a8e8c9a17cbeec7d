import { describe, expect, it } from 'vitest';
import { mapSpec } from '../maps/test-host.ts';
import { ask } from './test-host.ts';

const devices = mapSpec('devmap', { name: 'devices', maxEntries: 4 });
const word = (value: number) => Buffer.from(Uint32Array.of(value).buffer).toString('hex');
const mapInit = { devices: [1, 2, 3].map((key) => ({ key: word(key), value: word(key === 3 ? 7 : 1) })) };
const options = { ifindex: 7, mapInit };

function redirectOf(type: string, call: string) {
  const maps = call.includes('devices') ? [devices] : [];
  const { result } = ask({ type, text: `${call}\n exit`, maps, options: maps.length > 0 ? options : {} });
  return { retval: result.retval, redirect: result.redirect };
}

describe('what a redirect leaves for the replay', () => {
  it.each([
    ['xdp', 'r1 = 5\n r2 = 0\n call bpf_redirect', 4, { kind: 'ifindex', ifindex: 5, direction: 'egress' }],
    ['sched_cls', 'r1 = 5\n r2 = 0\n call bpf_redirect', 7, { kind: 'ifindex', ifindex: 5, direction: 'egress' }],
    ['sched_cls', 'r1 = 5\n r2 = 1\n call bpf_redirect', 7, { kind: 'ifindex', ifindex: 5, direction: 'ingress' }],
    ['sched_cls', 'r1 = 5\n r2 = 0\n call bpf_redirect_peer', 7, { kind: 'peer', ifindex: 5, direction: 'ingress' }],
    [
      'sched_cls',
      'r1 = 5\n r2 = 0\n r3 = 0\n r4 = 0\n call bpf_redirect_neigh',
      7,
      { kind: 'neigh', ifindex: 5, direction: 'egress' },
    ],
    [
      'xdp',
      'r1 = map[devices] ll\n r2 = 3\n r3 = 2\n call bpf_redirect_map',
      4,
      { kind: 'map', map: 'devices', key: 3, ifindex: 7 },
    ],
    [
      'xdp',
      'r1 = map[devices] ll\n r2 = 0\n r3 = 8\n call bpf_redirect_map',
      4,
      { kind: 'map', map: 'devices', key: null, ifindex: null, targets: [1, 1, 7] },
    ],
    ['xdp', 'r1 = map[devices] ll\n r2 = 0\n r3 = 24\n call bpf_redirect_map', 4, { targets: [1, 1] }],
  ])('%s: %s', (type, call, retval, redirect) => {
    expect(redirectOf(type, call)).toMatchObject({ retval, redirect });
  });

  it('is nothing when the flags are refused', () => {
    expect(redirectOf('xdp', 'r1 = 5\n r2 = 1\n call bpf_redirect')).toEqual({ retval: 0, redirect: null });
    expect(redirectOf('sched_cls', 'r1 = 5\n r2 = 2\n call bpf_redirect')).toEqual({ retval: 2, redirect: null });
  });

  it('is nothing when the map has no target, also where an earlier call had one', () => {
    const lookup = (key: number) => `r1 = map[devices] ll\n r2 = ${key}\n r3 = 2\n call bpf_redirect_map`;
    expect(redirectOf('xdp', `${lookup(3)}\n ${lookup(0)}`)).toEqual({ retval: 2, redirect: null });
  });
});
