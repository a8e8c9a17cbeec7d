import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { TC_LWT_XMIT } from './program-types.ts';
import { length } from './skb-packet.ts';
import { onWire } from './skb-vlan.ts';

const BPF_F_INGRESS = 1n;

const cloneRedirect = defineHelper({
  name: 'clone_redirect',
  id: 13,
  prototype: { args: ['ctx', 'u32', 'u64'], returns: 'integer', programTypes: TC_LWT_XMIT, changesPacket: true },
  run(machine, _context, ifindex, flags) {
    if ((flags & ~BPF_F_INGRESS) !== 0n) return -ERRNO.EINVAL;
    if (machine.interfaces.get(ifindex) === undefined) return -ERRNO.EINVAL;
    if (length(machine) === 0) return -ERRNO.ERANGE;
    machine.emit(ifindex, flags === BPF_F_INGRESS ? 'ingress' : 'egress', onWire(machine));
    return 0;
  },
});

export const skbRedirectHelpers: readonly Helper[] = [cloneRedirect];
