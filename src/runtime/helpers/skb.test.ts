import { describe, expect, it } from 'vitest';
import { answer, ask, frameOf, instanceOf } from './test-host.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const tc = (text: string) => ({ type: 'sched_cls', text: `r6 = r1\n${text}\n exit` });
/** For what the verifier would refuse: more rounds than it follows. */
const unverified = (text: string) => ({ ...tc(text), options: { verify: false } });
const input = (bytes: Uint8Array) => ({
  bytes,
  start: 0,
  end: bytes.length,
  originalLength: bytes.length,
  seconds: 0,
  nanoseconds: 0,
});

describe('helpers on an sk_buff', () => {
  it('send a copy on its way as it is at that moment, its tag back in the bytes', () => {
    const { instance, out } = ask(
      tc(`
        r1 = r6
        r2 = 0xa888
        r3 = 0x2064
        call bpf_skb_vlan_push
        r1 = r6
        r2 = 1
        r3 = 1
        call bpf_clone_redirect
        r1 = r6
        r2 = 20
        r3 = 0
        call bpf_skb_change_tail
        r1 = r6
        r2 = 1
        r3 = 0
        call bpf_clone_redirect`),
    );
    const [first, second] = instance.emitted;
    const frame = hex(frameOf(98));
    expect(first).toMatchObject({ ifindex: 1, direction: 'ingress' });
    expect(hex(first!.bytes)).toBe(`${frame.slice(0, 24)}88a82064${frame.slice(24)}`);
    expect(second).toMatchObject({ direction: 'egress' });
    expect(second!.bytes).toHaveLength(24);
    expect(hex(out)).toBe(frame.slice(0, 40));
  });

  it('refuse a copy to an interface that is not there', () => {
    expect(answer(tc('r2 = 7\n r3 = 0\n call bpf_clone_redirect'))).toBe(-22);
  });

  it('start every packet afresh: no tunnel key, tag, hash or headroom of the one before', () => {
    const instance = instanceOf(
      tc(`
        *(u64 *)(r10 - 8) = 0
        r2 = r10
        r2 += -8
        r3 = 8
        r4 = 0
        call bpf_skb_get_tunnel_key
        r7 = r0
        r1 = *(u32 *)(r6 + 20)
        r7 += r1
        r1 = *(u32 *)(r6 + 68)
        r7 += r1
        r1 = r6
        r2 = r10
        r2 += -8
        r3 = 8
        r4 = 0
        call bpf_skb_set_tunnel_key
        r1 = r6
        r2 = 129
        r3 = 5
        call bpf_skb_vlan_push
        r1 = r6
        r2 = 9
        call bpf_set_hash
        r1 = r6
        r2 = 15000
        r3 = 0
        call bpf_skb_change_head
        r0 += r7`),
    );
    for (let packet = 0; packet < 3; packet++) {
      const result = instance.runPacket(input(frameOf(98)));
      expect([result.error, result.retval | 0, result.outEnd - result.outStart]).toEqual([null, -22, 15098]);
    }
  });

  it('hash flows the same in every run, and not to 0', () => {
    const hash = () => answer(tc('call bpf_get_hash_recalc'));
    expect(hash()).toBe(hash());
    expect(hash()).not.toBe(0);
  });

  it('say ENOMEM where a packet outgrows any buffer, and leave it as it is', () => {
    const { result, out } = ask(
      unverified(`
        r7 = 0
        r8 = 0
        again:
        r1 = r6
        r2 = 129
        r3 = 5
        call bpf_skb_vlan_push
        if r0 s< 0 goto full
        r7 += 1
        if r7 < 20000 goto again
        full:`),
    );
    expect(result.retval | 0).toBe(-12);
    expect(out.length).toBeGreaterThan(16384);
    expect(hex(out.slice(-84))).toBe(hex(frameOf(98).slice(14)));
  });

  it('know the one socket of all packets', () => {
    expect(answer(tc('call bpf_get_socket_cookie'))).toBe(1);
    const fullSocket = `
      r1 = *(u64 *)(r6 + 168)
      r0 = 1
      if r1 == 0 goto end
      r7 = r1
      call bpf_sk_fullsock
      r7 -= r0
      r0 = r7
      end:`;
    expect(answer(tc(fullSocket))).toBe(0);
  });
});
