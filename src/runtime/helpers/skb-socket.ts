import { defineHelper, type Helper } from '../../abi/helper.ts';
import { SOCKET, TC, TC_CGROUP, TC_LWT } from './program-types.ts';

/** The root cgroup, in which BPF_PROG_TEST_RUN makes the socket of its packets. */
const ROOT_CGROUP = 1;

/** Answers of BPF_PROG_TEST_RUN about the socket of its packets and the cgroup of that. */
const cgroupClassid = defineHelper({
  name: 'get_cgroup_classid',
  id: 17,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: 'all' },
  run: () => 0,
});

const skbCgroupClassid = defineHelper({
  name: 'skb_cgroup_classid',
  id: 151,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC },
  run: () => 0,
});

const routeRealm = defineHelper({
  name: 'get_route_realm',
  id: 24,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC_LWT },
  run: () => 0,
});

const cgroupId = defineHelper({
  name: 'skb_cgroup_id',
  id: 79,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: TC_CGROUP },
  run: () => ROOT_CGROUP,
});

const ancestorCgroupId = defineHelper({
  name: 'skb_ancestor_cgroup_id',
  id: 83,
  prototype: { args: ['ctx', 's32'], returns: 'integer', programTypes: TC_CGROUP },
  run: (_machine, _context, level) => (level === 0 ? ROOT_CGROUP : 0),
});

const socketCookie = defineHelper({
  name: 'get_socket_cookie',
  id: 46,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: SOCKET },
  // Linux numbers sockets as they are asked for; every packet of a replay comes over the first.
  run: () => 1,
});

const socketUid = defineHelper({
  name: 'get_socket_uid',
  id: 47,
  prototype: { args: ['ctx'], returns: 'integer', programTypes: SOCKET },
  run: () => 0,
});

const fullSocket = defineHelper({
  name: 'sk_fullsock',
  id: 95,
  prototype: { args: ['sock-common'], returns: 'sock?', programTypes: TC_CGROUP },
  // The socket of BPF_PROG_TEST_RUN is a full one.
  run: (_machine, socket) => socket,
});

export const skbSocketHelpers: readonly Helper[] = [
  cgroupClassid,
  skbCgroupClassid,
  routeRealm,
  cgroupId,
  ancestorCgroupId,
  socketCookie,
  socketUid,
  fullSocket,
];
