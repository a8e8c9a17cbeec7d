import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { ETH_P_IP, ETH_P_IPV6 } from '../../base/ethernet.ts';
import { TC, TC_CGROUP } from './program-types.ts';
import { congestionExperienced } from './skb-ecn.ts';
import { protocolOf } from './skb-packet.ts';

/** PACKET_OTHERHOST, the last that a program may set (linux/if_packet.h). */
const LAST_TYPE = 3;
/** BPF_SKB_CLOCK_REALTIME and BPF_SKB_CLOCK_TAI of linux/bpf.h. */
const REALTIME = 0;
const TAI = 2;

const PKT_TYPE = offsetIn(SK_BUFF, 'pkt_type');
const TSTAMP = offsetIn(SK_BUFF, 'tstamp');
const TSTAMP_TYPE = offsetIn(SK_BUFF, 'tstamp_type');

const changeType = defineHelper({
  name: 'skb_change_type',
  id: 32,
  prototype: { args: ['ctx', 'u32'], returns: 'integer', programTypes: TC },
  run({ memory }, context, type) {
    if (type > LAST_TYPE) return -ERRNO.EINVAL;
    memory.view.setUint32(context + PKT_TYPE, type, true);
    return 0;
  },
});

const setTstamp = defineHelper({
  name: 'skb_set_tstamp',
  id: 192,
  prototype: { args: ['ctx', 'u64', 'u32'], returns: 'integer', programTypes: TC },
  run(machine, context, time, type) {
    const protocol = protocolOf(machine);
    if (protocol !== ETH_P_IP && protocol !== ETH_P_IPV6) return -ERRNO.EOPNOTSUPP;
    if (type > TAI || (type !== REALTIME && time === 0n)) return -ERRNO.EINVAL;
    const { view } = machine.memory;
    view.setBigUint64(context + TSTAMP, time, true);
    view.setUint8(context + TSTAMP_TYPE, type);
    return 0;
  },
});

const ecn = defineHelper({
  name: 'skb_ecn_set_ce',
  id: 97,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC_CGROUP },
  run: (machine) => congestionExperienced(machine),
});

export const skbStateHelpers: readonly Helper[] = [changeType, setTstamp, ecn];
