import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper, type HelperPrototype } from '../../abi/helper.ts';
import { type HelperName, helperId } from '../../abi/helper-names.ts';
import { LOOKUP, SOCKET, TC, TC_CGROUP, XDP_TC } from './program-types.ts';

/**
 * Sockets, of which the virtual host has none: none is found, as in a new network namespace of Linux. The socket of the
 * packets of BPF_PROG_TEST_RUN, which programs find in `skb->sk`, is of no protocol; what Linux answers about it is here.
 */
type Answer = (...args: readonly number[]) => number;

const about = (
  name: HelperName,
  args: HelperPrototype['args'],
  returns: HelperPrototype['returns'],
  programTypes: HelperPrototype['programTypes'],
  answer: Answer = () => 0,
  more: Pick<HelperPrototype, 'gplOnly'> = {},
): Helper =>
  defineHelper({
    name,
    id: helperId(name),
    prototype: { args, returns, programTypes, ...more },
    run: (_machine, ...args) => answer(...args.map(Number)),
  });

const TUPLE = ['ctx', 'mem', 'size0', 'u64', 'u64'] as const;
const HEADERS = ['sock-common', 'mem', 'size', 'mem', 'size'] as const;
const GPL = { gplOnly: true };
/** Of the first network namespace. */
const NETNS_COOKIE = 1;

export const socketHelpers: readonly Helper[] = [
  about('sk_lookup_tcp', TUPLE, 'sock?', LOOKUP),
  about('sk_lookup_udp', TUPLE, 'sock?', LOOKUP),
  about('skc_lookup_tcp', TUPLE, 'sock-common?', LOOKUP),
  about('sk_release', ['sock'], 'integer', LOOKUP),
  about('tcp_sock', ['sock-common'], 'tcp-sock?', TC_CGROUP),
  about('get_listener_sock', ['sock-common'], 'sock?', TC_CGROUP),
  ...(
    [
      'skc_to_tcp6_sock',
      'skc_to_tcp_sock',
      'skc_to_tcp_timewait_sock',
      'skc_to_tcp_request_sock',
      'skc_to_udp6_sock',
    ] as const
  ).map((name) => about(name, ['sock-common'], 'btf-id?', 'all')),
  about('tcp_check_syncookie', HEADERS, 'integer', XDP_TC, () => -ERRNO.EINVAL, GPL),
  about('tcp_gen_syncookie', HEADERS, 'integer', XDP_TC, () => -ERRNO.EINVAL, GPL),
  about('sk_assign', ['ctx', 'sock-common', 'u64'], 'integer', TC, (_context, _socket, flags) =>
    flags === 0 ? -ERRNO.EOPNOTSUPP : -ERRNO.EINVAL,
  ),
  about('get_netns_cookie', ['ctx?'], 'integer', SOCKET, () => NETNS_COOKIE),
];
