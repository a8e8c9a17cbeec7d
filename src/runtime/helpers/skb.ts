import type { Helper } from '../../abi/helper.ts';
import { skbAdjustRoomHelpers } from './skb-adjust-room.ts';
import { skbBytesHelpers } from './skb-bytes.ts';
import { skbChecksumHelpers } from './skb-checksum.ts';
import { skbHashHelpers } from './skb-hash.ts';
import { skbRedirectHelpers } from './skb-redirect.ts';
import { skbRoomHelpers } from './skb-room.ts';
import { skbSocketHelpers } from './skb-socket.ts';
import { skbStateHelpers } from './skb-state.ts';
import { skbTunnelHelpers } from './skb-tunnel.ts';
import { skbVlanHelpers } from './skb-vlan.ts';

/** All that works on an sk_buff: tc, socket filters, cgroup_skb and lightweight tunnels. */
export const skbHelpers: readonly Helper[] = [
  skbBytesHelpers,
  skbChecksumHelpers,
  skbRoomHelpers,
  skbAdjustRoomHelpers,
  skbVlanHelpers,
  skbHashHelpers,
  skbTunnelHelpers,
  skbRedirectHelpers,
  skbStateHelpers,
  skbSocketHelpers,
].flat();
