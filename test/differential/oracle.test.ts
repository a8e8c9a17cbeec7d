import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fnv1a64 } from '../../src/base/fnv.ts';
import { askRaw, askRun, askVerdicts, kernelAvailable } from './oracle.ts';

const PROGRAMS = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char _license[] SEC("license") = "GPL";

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); } by_size SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u32); } counters SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 8); __type(value, __u32); } queue SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __type(key, __u32); __type(value, __u32); } next SEC(".maps");
__u32 seen = 0;

SEC("xdp") int sizes(struct xdp_md *ctx) {
  __u32 size = ctx->data_end - ctx->data, zero = 0;
  __u64 one = 1;
  seen++;
  bpf_map_update_elem(&by_size, &size, &one, BPF_ANY);
  __u32 *counter = bpf_map_lookup_elem(&counters, &zero);
  if (counter) ++*counter;
  bpf_map_push_elem(&queue, &size, 0);
  bpf_ringbuf_output(&ring, &size, sizeof size, 0);
  bpf_tail_call(ctx, &next, 0);
  return XDP_DROP;
}
SEC("xdp") int tail(struct xdp_md *ctx) { return bpf_xdp_adjust_tail(ctx, 4) ? XDP_ABORTED : XDP_TX; }
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __uint(key_size, 4); __array(values, int(void *)); } stages SEC(".maps") = { .values = { [1] = (void *)&tail } };
SEC("xdp") int staged(struct xdp_md *ctx) { bpf_tail_call(ctx, &stages, 1); return XDP_DROP; }
SEC("tc") int mark(struct __sk_buff *skb) { skb->mark = 7; return -1; }
SEC("elsewhere") int untyped(void *ctx) { return 1; }
SEC("xdp") int unsafe(struct xdp_md *ctx) { return *(__u8 *)(long)ctx->data; }
`;

const clang = ['clang', 'clang-19', 'clang-18', 'clang-17', 'clang-16'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const available = kernelAvailable();
const missing = available !== true ? available : clang === undefined ? 'clang is not installed' : undefined;

// EtherType 0x88b5 (local experimental): test-run asks nothing more of the frame than an Ethernet header.
const frame = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i === 12 ? 0x88 : i === 13 ? 0xb5 : i));
const insns = (...words: bigint[]) => new Uint8Array(BigUint64Array.from(words).buffer);
const MOV_R0_2 = 0x00000002_0000_00_b7n;
const EXIT = 0x95n;

describe.skipIf(available !== true)(`raw questions to the kernel${available === true ? '' : ` (${available})`}`, () => {
  it('runs what the verifier accepts and says where it stops at what it refuses', () => {
    const [accepted, refused, onlyVerdict] = askRaw([
      { type: 'xdp', instructions: insns(MOV_R0_2, EXIT), data: frame(20) },
      { type: 'xdp', instructions: insns(EXIT) },
      { type: 'socket_filter', instructions: insns(MOV_R0_2, EXIT) },
    ]);
    expect(accepted).toMatchObject({ verdict: 'accept', processed: 2, retval: 2 });
    expect(accepted?.out).toBe(Buffer.from(frame(20)).toString('hex'));
    expect(refused).toMatchObject({ verdict: 'reject', errno: 'EACCES', insn: 0, reason: 'R0 !read_ok' });
    expect(onlyVerdict).toEqual({ verdict: 'accept', processed: 2 });
  });

  it('puts the numbered maps into the instructions', () => {
    // r1 = map_value(0)[0]; r0 = *(u32 *)(r1 + 0); exit
    const read = insns(0x00000000_0000_21_18n, 0n, 0x00000000_0000_10_61n, EXIT);
    const map = { type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 };
    const entries = [{ key: new Uint8Array(4), value: Uint8Array.of(42, 0, 0, 0) }];
    expect(askRaw([{ type: 'xdp', instructions: read, data: frame(14) }], [{ ...map, entries }])).toMatchObject([
      { verdict: 'accept', retval: 42 },
    ]);
    expect(() => askRaw([{ type: 'xdp', instructions: read }])).toThrow(/names a map that was not made/);
  });

  it('names the errno of a frame or a context that test-run does not take', () => {
    const program = { type: 'sched_cls', instructions: insns(MOV_R0_2, EXIT) };
    const mark = Uint8Array.from({ length: 192 }, (_, i) => (i === 8 ? 9 : 0));
    const length = Uint8Array.from({ length: 192 }, (_, i) => (i === 0 ? 9 : 0));
    const [short, marked, refused] = askRaw([
      { ...program, data: frame(13) },
      { ...program, data: frame(14), ctx: mark },
      { ...program, data: frame(14), ctx: length },
    ]);
    expect(short).toMatchObject({ verdict: 'accept', error: 'EINVAL' });
    expect(marked?.ctx_out?.slice(16, 24)).toBe('09000000');
    expect(refused).toMatchObject({ error: 'EINVAL' });
  });
});

describe.skipIf(missing)(`objects and the kernel${missing ? ` (${missing})` : ''}`, () => {
  let folder = '';
  let object = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'oracle-test-'));
    object = join(folder, 'programs.o');
    const args = [
      '-g',
      '-O2',
      '-target',
      'bpf',
      `-I/usr/include/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`,
    ];
    writeFileSync(join(folder, 'programs.c'), PROGRAMS);
    const built = spawnSync(clang!, [...args, '-c', join(folder, 'programs.c'), '-o', object], { encoding: 'utf8' });
    expect(built.stderr).toBe('');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('gives a verdict for each program, and the reason of a refusal', () => {
    const verdicts = askVerdicts([object, join(folder, 'absent.o')]);
    const short = verdicts.map(({ program, type, verdict, errno }) => [program, type, verdict, errno]);
    expect(short.sort()).toEqual(
      [
        [undefined, undefined, 'open-error', 'ENOENT'],
        ['mark', 'sched_cls', 'accept', null],
        ['sizes', 'xdp', 'accept', null],
        ['staged', 'xdp', 'accept', null],
        ['tail', 'xdp', 'accept', null],
        ['unsafe', 'xdp', 'reject', 'EACCES'],
        ['untyped', 'unspec', 'reject', 'EINVAL'],
      ].sort(),
    );
    expect(verdicts.find(({ program }) => program === 'unsafe')?.reason).toMatch(/outside of the packet/);
  });

  it('answers for each packet and for the maps at the end', () => {
    const frames = [frame(60), frame(13), frame(64)];
    const { packets, maps } = askRun({ object, program: 'sizes', frames, maps: true });
    expect(packets).toEqual([
      { index: 0, retval: 1, out_len: 60, out_fnv1a64: fnv1a64(frame(60)) },
      { index: 1, error: 'EINVAL' },
      { index: 2, retval: 1, out_len: 64, out_fnv1a64: fnv1a64(frame(64)) },
    ]);
    const entries = Object.fromEntries(maps.map(({ map, entries }) => [map, entries]));
    expect(entries.by_size).toHaveLength(2);
    expect(entries.by_size).toContainEqual({ key: '3c000000', value: '0100000000000000' });
    expect(entries.counters?.[0]?.value[0]).toBe('02000000');
    expect(entries.queue).toEqual([{ value: '3c000000' }, { value: '40000000' }]);
    expect(entries.ring).toEqual([
      { packet: 0, value: '3c000000' },
      { packet: 2, value: '40000000' },
    ]);
    expect(entries['.bss']).toEqual([{ key: '00000000', value: '02000000' }]);
  });

  it('fills maps before the run, program arrays by the name of the program', () => {
    const mapInit = {
      next: [{ key: '00000000', value: 'program:tail' }],
      counters: [{ key: '01000000', value: Array(cpuCount()).fill('05000000') as string[] }],
      queue: [{ value: '63000000' }],
    };
    const { packets, maps } = askRun({ object, program: 'sizes', frames: [frame(60)], mapInit, maps: true });
    expect(packets).toMatchObject([{ retval: 3, out_len: 64 }]);
    expect(maps.find(({ map }) => map === 'next')?.entries).toEqual([{ key: '00000000', value: 'program:tail' }]);
    expect(maps.find(({ map }) => map === 'queue')?.entries[0]).toEqual({ value: '63000000' });
    expect(() =>
      askRun({ object, program: 'sizes', frames: [], mapInit: { by_size: [{ key: '00', value: '00' }] } }),
    ).toThrow(/keys of 4 bytes/);
  });

  it('loads the programs of a program array that the object initialises', () => {
    expect(askVerdicts([object]).find(({ program }) => program === 'staged')?.verdict).toBe('accept');
  });

  it('shows the context after the run, takes a type for an unknown section and gives back a refusal', () => {
    const marked = askRun({ object, program: 'mark', frames: [frame(60)], ctxOut: true, dataOut: true });
    expect(marked.packets).toMatchObject([{ retval: 0xffffffff, out: Buffer.from(frame(60)).toString('hex') }]);
    expect(marked.packets[0]).toHaveProperty('ctx_out', expect.stringMatching(/^0{16}07000000/));

    expect(askRun({ object, program: 'untyped', frames: [frame(60)] }).refusal).toMatchObject({ stage: 'load' });
    const typed = askRun({ object, program: 'untyped', frames: [frame(60)], type: 'xdp' });
    expect(typed.packets).toMatchObject([{ retval: 1 }]);

    const refused = askRun({ object, program: 'unsafe', frames: [frame(60)], log: true });
    expect(refused.refusal).toMatchObject({ error: 'EACCES', message: 'R1 offset is outside of the packet' });
    expect(refused.log).toMatch(/processed \d+ insns/);
  });
});

/** CPUs that a per-CPU value has slots for. */
function cpuCount(): number {
  const result = spawnSync('sh', ['-c', 'cat /sys/devices/system/cpu/possible'], { encoding: 'utf8' });
  return Number(result.stdout.trim().split('-').at(-1)) + 1;
}
