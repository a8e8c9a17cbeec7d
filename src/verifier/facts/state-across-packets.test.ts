import { describe, expect, it } from 'vitest';
import { helperName } from '../../abi/helper-names.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import { catalogue } from '../../engine/catalogue.ts';
import type { MapSpec } from '../../object/spec.ts';
import { programFromAssembly } from '../../program/program.ts';
import { CASE_MAPS, kernelFunctions } from '../cases.ts';
import { verify } from '../verify.ts';
import { stateAcrossPackets } from './state-across-packets.ts';

const map = (name: string, type: Parameters<typeof mapTypeId>[0]): MapSpec => ({
  ...CASE_MAPS[0]!,
  name,
  type: mapTypeId(type),
  valueSize: 8,
});
const MAPS = [map('slots', 'array'), map('own', 'percpu_array'), map('flows', 'percpu_hash'), map('events', 'ringbuf')]; // biome-ignore format: a list
const SPECS = MAPS.map((each) => (each.name === 'events' ? { ...CASE_MAPS[2]!, name: 'events' } : each));

/** `per-cpu: map own at 8`. */
function stateOf(text: string): string {
  const program = programFromAssembly(text.replaceAll('; ', '\n'), {
    type: 'xdp',
    maps: SPECS,
    helper: (id) => `bpf_${helperName(id)}`,
    kernelSymbols: kernelFunctions(text),
  });
  const verdict = verify(program, catalogue);
  if (!verdict.accepted) throw new Error(`refused at ${verdict.refusal.pc}: ${verdict.refusal.message}`);
  const { reach, carriers } = stateAcrossPackets(program, verdict.facts, catalogue);
  return [reach, ...carriers.map(({ reach: how, what, pc }) => `${how} ${what} at ${pc}`)].join(', ');
}

const lookup = (name: string) =>
  `*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[${name}] ll; call bpf_map_lookup_elem; if r0 == 0 goto out`;
const update = (name: string) =>
  `*(u32 *)(r10 - 4) = 0; *(u64 *)(r10 - 16) = 1; r2 = r10; r2 += -4; r3 = r10; r3 += -16; r1 = map[${name}] ll; r4 = 0; call bpf_map_update_elem`;
const end = 'out: r0 = 2; exit';

describe('what one packet leaves behind for the next', () => {
  it('nothing: maps are only read, the packet is changed', () => {
    expect(stateOf(`${lookup('slots')}; r1 = *(u64 *)(r0 + 0); ${end}`)).toBe('stateless');
    expect(stateOf('r2 = -4; call bpf_xdp_adjust_tail; r0 = 2; exit')).toBe('stateless');
  });

  it('a value of the CPU: the map is per CPU', () => {
    expect(stateOf(`${lookup('own')}; *(u64 *)(r0 + 0) = 1; ${end}`)).toBe('per-cpu, per-cpu map own at 7');
    expect(stateOf(`${update('own')}; ${end}`)).toBe('per-cpu, per-cpu map own at 9');
  });

  it('a value for all: the map is shared, whether stored through a pointer, added atomically or updated', () => {
    expect(stateOf(`${lookup('slots')}; *(u64 *)(r0 + 0) = 1; ${end}`)).toBe('shared, shared map slots at 7');
    expect(stateOf(`${lookup('slots')}; r1 = 1; lock *(u64 *)(r0 + 0) += r1; ${end}`)).toBe(
      'shared, shared map slots at 8',
    );
    expect(stateOf(`${update('slots')}; ${end}`)).toBe('shared, shared map slots at 9');
  });

  it('the keys of a per-CPU hash are those of all CPUs', () => {
    expect(stateOf(`${lookup('flows')}; *(u64 *)(r0 + 0) = 1; ${end}`)).toBe('per-cpu, per-cpu map flows at 7');
    expect(stateOf(`${update('flows')}; ${end}`)).toBe('shared, shared map flows at 9');
  });

  it('per-CPU values that other CPUs look at are shared', () => {
    const across =
      'r2 = r10; r2 += -4; r1 = map[own] ll; r3 = 1; call bpf_map_lookup_percpu_elem; if r0 == 0 goto out; r1 = *(u64 *)(r0 + 0)';
    expect(stateOf(`${lookup('own')}; *(u64 *)(r0 + 0) = 1; ${across}; ${end}`)).toBe('shared, shared map own at 7');
  });

  it('a random number moves the generator on, and a record shows what was in the ring', () => {
    expect(stateOf('call bpf_get_prandom_u32; r0 = 2; exit')).toBe('shared, shared bpf_get_prandom_u32 at 0');
    const reserve = 'r1 = map[events] ll; r2 = 8; r3 = 0; call bpf_ringbuf_reserve; if r0 == 0 goto out; r1 = r0; r2 = 0; call bpf_ringbuf_submit'; // biome-ignore format: a program
    expect(stateOf(`${reserve}; ${end}`)).toBe('shared, shared map events at 4');
  });

  it('stack that was not written holds what the packets before left there', () => {
    const stale = 'shared, shared stack that may never have been written at';
    expect(stateOf('r0 = *(u64 *)(r10 - 8); exit')).toBe(`${stale} 0`);
    expect(stateOf('*(u32 *)(r10 - 8) = 0; r0 = *(u64 *)(r10 - 8); exit')).toBe(`${stale} 1`);
    expect(stateOf('*(u64 *)(r10 - 8) = 0; r0 = *(u64 *)(r10 - 8); exit')).toBe('stateless');
    expect(stateOf('r2 = r10; r2 += -4; r1 = map[slots] ll; call bpf_map_lookup_elem; r0 = 2; exit')).toBe(
      `${stale} 4`,
    );
  });

  // The path that wrote it is walked first; the other is cut off where they meet.
  it('stack that was written on some paths only', () => {
    const text = (store: string) =>
      `r6 = r1; r1 = *(u32 *)(r6 + 12); if r1 == 7 goto far; *(u8 *)(r10 - 2) = r1; goto meet; far: ${store}r2 = 0; meet: r0 = *(u32 *)(r6 + 0); r0 = *(u32 *)(r6 + 0); r0 = *(u32 *)(r6 + 0); if r0 == 1 goto next; r0 = 1; next: r0 = *(u8 *)(r10 - 2); exit`;
    expect(stateOf(text('*(u8 *)(r10 - 2) = 5; '))).toBe('stateless');
    expect(stateOf(text(''))).toBe('shared, shared stack that may never have been written at 9');
  });

  it('the buffer of a slice shows nothing that it held, unless the packet became shorter than its dynptr', () => {
    const STALE = 'shared, shared stack that may never have been written at';
    const slice = (before: string, after: string) =>
      `r6 = r1; r2 = 0; r3 = r10; r3 += -16; call kfunc[bpf_dynptr_from_xdp]; ${before}r1 = r10; r1 += -16; r2 = 0; r3 = r10; r3 += -24; r4 = 8; call kfunc[bpf_dynptr_slice]; if r0 == 0 goto out; r0 = *(u8 *)(r0 + 0); ${after}${end}`;
    expect(stateOf(slice('', ''))).toBe('stateless');
    expect(stateOf(slice('', 'r0 = *(u8 *)(r10 - 24); '))).toBe(`${STALE} 14`);
    expect(stateOf(slice('r1 = r6; r2 = -4; call bpf_xdp_adjust_tail; ', ''))).toBe(`${STALE} 14`);
  });

  it('a dynptr to the value of a map is a way to all that it holds', () => {
    const dynptr =
      '*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = map[own] ll; call bpf_map_lookup_elem; if r0 == 0 goto out; r1 = r0; r2 = 8; r3 = 0; r4 = r10; r4 += -24; call bpf_dynptr_from_mem';
    expect(stateOf(`${dynptr}; ${end}`)).toContain('shared bpf_dynptr_from_mem at 12');
  });

  it('what is never reached leaves nothing', () => {
    expect(stateOf('r1 = 1; if r1 == 1 goto out; call bpf_get_prandom_u32; out: r0 = 2; exit')).toBe('stateless');
  });

  it('one store to a map of either kind reaches as far as the farther', () => {
    const text = `${lookup('slots')}; r6 = r0; ${lookup('flows').replaceAll('out', 'use')}; r6 = r0; use: *(u64 *)(r6 + 0) = 1; ${end}`;
    expect(stateOf(text)).toBe('shared, per-cpu map flows at 16, shared map slots at 16');
  });
});
