import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OBJECTS, ROOT } from './places.ts';

export const GROUPS = ['selftests', 'large', 'xdp-tools', 'examples'] as const;
export type Group = (typeof GROUPS)[number];

/** The selftests' own big programs, with clang's flags beyond the common ones (as their Makefile has them). */
export const LARGE: Readonly<Record<string, readonly string[]>> = {
  test_cls_redirect: [],
  test_l4lb: [],
  test_l4lb_noinline: ['-fno-inline'],
  test_tcp_custom_syncookie: [],
  test_verif_scale1: [],
  test_verif_scale2: [],
  test_verif_scale3: [],
  test_xdp_noinline: ['-fno-inline'],
  xdp_synproxy_kern: [],
};

/** Where Debian's xdp-tools keeps its programs. */
const XDP_TOOLS = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/bpf`);

export interface PeerObject {
  readonly group: Group;
  /** The file's name, without its folder: what recorded verdicts go by. */
  readonly file: string;
  readonly path: string;
}

/** Every object of the suite that is on this machine. */
export function peerObjects(): PeerObject[] {
  const inFolder = (folder: string, group: (file: string) => Group): PeerObject[] =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith('.o'))
          .sort()
          .map((file) => ({ group: group(file), file, path: join(folder, file) }))
      : [];
  return [
    ...inFolder(OBJECTS, (file) => (file.slice(0, -2) in LARGE ? 'large' : 'selftests')),
    ...XDP_TOOLS.flatMap((folder) => inFolder(folder, () => 'xdp-tools')),
    ...inFolder(join(ROOT, 'programs'), () => 'examples'),
  ];
}

/** What the project promises to judge as Linux does; other types are listed apart. */
export const NETWORKING: ReadonlySet<string> = new Set([
  'xdp', 'sched_cls', 'sched_act', 'socket_filter', 'cgroup_skb', 'lwt_in', 'lwt_out', 'lwt_xmit', 'lwt_seg6local',
  'flow_dissector', 'sk_skb',
]); // biome-ignore format: a list
