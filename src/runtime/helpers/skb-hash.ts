import { offsetIn, SK_BUFF } from '../../abi/context.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import { TC, TC_LWT, TC_LWT_XMIT } from './program-types.ts';
import { flowHash } from './skb-flow.ts';
import { clearHash, protocolOf } from './skb-packet.ts';

const HASH = offsetIn(SK_BUFF, 'hash');

const recalc = defineHelper({
  name: 'get_hash_recalc',
  id: 34,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC_LWT },
  run(machine, context) {
    const { view } = machine.memory;
    const { skb } = machine.packet;
    if (skb.hashIsValid) return view.getUint32(context + HASH, true);
    const hash = flowHash(machine, protocolOf(machine));
    skb.hashIsValid = true;
    view.setUint32(context + HASH, hash, true);
    return hash;
  },
});

const setInvalid = defineHelper({
  name: 'set_hash_invalid',
  id: 41,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC_LWT_XMIT },
  run(machine) {
    clearHash(machine);
    return 0;
  },
});

const set = defineHelper({
  name: 'set_hash',
  id: 48,
  prototype: { args: ['ctx', 'u32'], returns: 'integer', programTypes: TC },
  run(machine, context, hash) {
    machine.packet.skb.hashIsValid = true;
    machine.memory.view.setUint32(context + HASH, hash, true);
    return 0;
  },
});

export const skbHashHelpers: readonly Helper[] = [recalc, setInvalid, set];
