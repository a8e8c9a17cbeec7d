import { describe, expect, it } from 'vitest';
import { catalogue } from '../../engine/catalogue.ts';
import { BtfBuilder } from '../../object/btf/btf.builder.ts';
import { parseBtf } from '../../object/btf/btf.ts';
import { caseProgram } from '../cases.ts';
import { verify } from '../verify.ts';

/** Some of the kernel's structures, as a program's BTF may have them. */
function kernelTypes() {
  const btf = new BtfBuilder();
  const u32 = btf.int('unsigned int', 4);
  const u8 = btf.int('unsigned char', 1);
  const device = btf.struct('net_device', 8, [['ifindex', u32, 0], ['mtu', u32, 32]]); // biome-ignore format: members
  const sock = btf.struct('sock', 4, [['family', u32, 0]]);
  const inner = btf.union('', 8, [['dev', btf.ptr(device), 0], ['dev_scratch', btf.int('unsigned long', 8), 0]]); // biome-ignore format: members
  const [bytes, toSock] = [btf.array(u8, 8), btf.ptr(sock)];
  const members = [['len', u32, 0], ['mark', u32, 32], ['', inner, 64], ['cb', bytes, 128], ['sk', toSock, 192], ['head', btf.ptr(u8), 256]] as const; // biome-ignore format: members
  btf.struct('sk_buff', 40, members);
  return parseBtf(btf.bytes());
}

const types = kernelTypes();

function judge(text: string): string {
  const program = caseProgram('sched_cls', `call kfunc[bpf_cast_to_kern_ctx]; ${text}; r0 = 0; exit`);
  const verdict = verify({ ...program, btf: types }, catalogue);
  return verdict.accepted ? 'accept' : `${verdict.refusal.code} at ${verdict.refusal.pc}`;
}

/** Each was asked of Linux 6.18, in C with its own BTF. */
describe("the kernel's structures are read member by member", () => {
  it.each([
    ['a number', 'r1 = *(u32 *)(r0 + 4)', 'accept'],
    ['half a number', 'r1 = *(u16 *)(r0 + 6)', 'accept'],
    ['two numbers at once', 'r1 = *(u64 *)(r0 + 0)', 'out-of-bounds at 1'],
    ['some bytes of an array', 'r1 = *(u32 *)(r0 + 18)', 'accept'],
    ['beyond an array', 'r1 = *(u32 *)(r0 + 22)', 'out-of-bounds at 1'],
    ['half a pointer', 'r1 = *(u32 *)(r0 + 8)', 'out-of-bounds at 1'],
    ['beyond the structure', 'r1 = *(u8 *)(r0 + 40)', 'out-of-bounds at 1'],
    ['a number through a pointer in a union', 'r1 = *(u64 *)(r0 + 8); r1 = *(u32 *)(r1 + 4)', 'accept'],
    ['a pointer that may be null', 'r1 = *(u64 *)(r0 + 24); r1 = *(u32 *)(r1 + 0)', 'null-pointer at 2'],
    ['once compared', 'r1 = *(u64 *)(r0 + 24); if r1 == 0 goto e; r1 = *(u32 *)(r1 + 0); e: r1 = 0', 'accept'],
    ['anywhere behind a pointer to bytes', 'r1 = *(u64 *)(r0 + 32); r1 = *(u64 *)(r1 - 800)', 'accept'],
    ['a write', '*(u32 *)(r0 + 4) = 1', 'write-read-only at 1'],
    ['a write behind a pointer to bytes', 'r1 = *(u64 *)(r0 + 32); *(u8 *)(r1 + 0) = 1', 'write-read-only at 2'],
    [
      'a pointer that was read, for a helper',
      'r1 = *(u64 *)(r0 + 24); if r1 == 0 goto e; call bpf_skc_to_tcp_sock; e: r1 = 0',
      'helper-argument at 3',
    ],
  ])('%s', (_, text, verdict) => expect(judge(text)).toBe(verdict));
});

it("offsets are those of the kernel that CO-RE was resolved against, not of the program's own declarations", () => {
  const btf = new BtfBuilder();
  btf.struct('sk_buff', 4, [['mark', btf.int('unsigned int', 4), 0]]);
  const own = parseBtf(btf.bytes());
  const program = caseProgram('sched_cls', 'call kfunc[bpf_cast_to_kern_ctx]; r1 = *(u32 *)(r0 + 4); r0 = 0; exit');
  expect(verify({ ...program, btf: own, targetBtf: types }, catalogue).accepted).toBe(true);
  expect(verify({ ...program, btf: own }, catalogue).accepted).toBe(false);
});
