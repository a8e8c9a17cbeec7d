import type { Catalogue } from '../../abi/catalogue.ts';
import type { Facts, ProvenAccess } from '../../abi/facts.ts';
import { helperName } from '../../abi/helper-names.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import type { Program } from '../../program/program.ts';

/**
 * How far what one packet leaves behind reaches: to the packets of the same CPU, or to all. What is `stateless` may run
 * on each packet by itself, in any order.
 */
export type Reach = 'stateless' | 'per-cpu' | 'shared';

/** One place where something is left behind. */
export interface Carrier {
  readonly reach: Exclude<Reach, 'stateless'>;
  readonly pc: number;
  /** `map counters`, `bpf_get_prandom_u32`. */
  readonly what: string;
}

export interface StateAcrossPackets {
  /** The widest of the carriers'. */
  readonly reach: Reach;
  /** By rising pc. */
  readonly carriers: readonly Carrier[];
}

/**
 * Helpers that leave nothing behind for the next packet but what they write through their arguments: they read, change
 * the packet or its metadata, or send something away. Not among them: clocks that never go back, ringbuf_reserve,
 * whose records begin with the bytes that the ring held before, and dynptr_from_mem, through whose dynptr maps' values
 * are read and written.
 */
const LEAVES_NOTHING: ReadonlySet<string> = new Set(
  `map_lookup_elem map_peek_elem map_lookup_percpu_elem for_each_map_elem loop tail_call
  spin_lock spin_unlock get_smp_processor_id get_numa_node_id ktime_get_tai_ns
  ringbuf_output ringbuf_submit ringbuf_discard ringbuf_submit_dynptr ringbuf_discard_dynptr
  dynptr_read dynptr_write dynptr_data perf_event_output trace_printk trace_vprintk
  redirect redirect_neigh redirect_peer redirect_map clone_redirect check_mtu fib_lookup
  csum_diff csum_update csum_level l3_csum_replace l4_csum_replace strncmp strtol strtoul snprintf
  xdp_get_buff_len xdp_load_bytes xdp_store_bytes xdp_adjust_head xdp_adjust_meta xdp_adjust_tail
  skb_load_bytes skb_load_bytes_relative skb_store_bytes skb_pull_data skb_adjust_room skb_change_head
  skb_change_tail skb_change_proto skb_change_type skb_set_tstamp skb_ecn_set_ce skb_vlan_push skb_vlan_pop
  skb_set_tunnel_key skb_get_tunnel_key skb_set_tunnel_opt skb_get_tunnel_opt
  get_hash_recalc set_hash_invalid set_hash get_cgroup_classid skb_cgroup_classid get_route_realm skb_cgroup_id
  skb_ancestor_cgroup_id get_socket_cookie get_socket_uid sk_fullsock sk_release
  sk_lookup_tcp sk_lookup_udp skc_lookup_tcp tcp_sock get_listener_sock skc_to_tcp6_sock skc_to_tcp_sock
  skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock tcp_check_syncookie tcp_gen_syncookie sk_assign
  get_netns_cookie`.split(/\s+/),
);

/** Kernel functions of that kind. */
const KFUNC_LEAVES_NOTHING =
  /^bpf_(iter_num_(new|next|destroy)|dynptr_\w+|rcu_read_(un)?lock|preempt_(en|dis)able|cast_to_kern_ctx|rdonly_cast|xdp_metadata_rx_\w+)$/;

const PERCPU_ARRAY = mapTypeId('percpu_array');

/**
 * What a program leaves behind from one packet to the next. Pure, and on the safe side: what is not known to leave
 * nothing is taken to be shared. Of this program alone: those that its tail calls lead to must be asked, too.
 */
export function stateAcrossPackets(program: Program, facts: Facts, catalogue: Catalogue): StateAcrossPackets {
  const judge = new Judge(program, facts, catalogue);
  const carriers = program.instructions.flatMap((_, pc) => judge.carriersAt(pc));
  const reach = carriers.some((each) => each.reach === 'shared') ? 'shared' : (carriers[0]?.reach ?? 'stateless');
  return { reach, carriers };
}

class Judge {
  readonly #program: Program;
  readonly #facts: Facts;
  readonly #catalogue: Catalogue;
  /** Whether some call looks at the values of other CPUs. */
  readonly #looksAcross: boolean;

  constructor(program: Program, facts: Facts, catalogue: Catalogue) {
    this.#program = program;
    this.#facts = facts;
    this.#catalogue = catalogue;
    this.#looksAcross = program.instructions.some((_, pc) => this.#helperAt(pc) === 'map_lookup_percpu_elem');
  }

  carriersAt(pc: number): Carrier[] {
    const { reached, accesses, calls, unwritten } = this.#facts;
    if (reached[pc] !== 1) return [];
    const touched = [...accesses[pc]!, ...(calls.get(pc)?.arguments.flat() ?? [])];
    // What lies there is of the packets before.
    const stale = unwritten.includes(pc)
      ? [{ reach: 'shared', pc, what: 'stack that may never have been written' } as const]
      : [];
    return [
      ...stale,
      ...touched.filter(writesValue).map((access) => this.#valueWritten(pc, access)),
      ...this.#call(pc),
    ];
  }

  #helperAt(pc: number): string | undefined {
    const instruction = this.#program.instructions[pc];
    if (instruction?.kind !== 'call' || instruction.target.type !== 'helper') return undefined;
    return helperName(instruction.target.id) ?? `helper ${instruction.target.id}`;
  }

  #valueWritten(pc: number, { map }: ProvenAccess): Carrier {
    if (map === null) return { reach: 'shared', pc, what: 'a map within a map' };
    const spec = this.#program.maps[map]!;
    const perCpu = this.#catalogue.mapTypes.get(spec.type)?.perCpu === true;
    return { reach: perCpu && !this.#looksAcross ? 'per-cpu' : 'shared', pc, what: `map ${spec.name}` };
  }

  #call(pc: number): Carrier[] {
    const instruction = this.#program.instructions[pc];
    if (instruction?.kind !== 'call') return [];
    const { target } = instruction;
    if (target.type === 'kfunc') {
      const name = this.#program.kernelSymbols[target.btfId]?.name ?? `kernel function ${target.btfId}`;
      return KFUNC_LEAVES_NOTHING.test(name) ? [] : [{ reach: 'shared', pc, what: name }];
    }
    const name = this.#helperAt(pc);
    if (name === undefined || LEAVES_NOTHING.has(name)) return [];
    const map = this.#facts.calls.get(pc)?.map;
    if (map == null) return [{ reach: 'shared', pc, what: `bpf_${name}` }];
    return [{ reach: this.#reachOf(name, this.#program.maps[map]!), pc, what: `map ${this.#program.maps[map]!.name}` }];
  }

  /** Which keys a per-CPU hash has is the same for all CPUs. */
  #reachOf(helper: string, map: MapSpec): 'per-cpu' | 'shared' {
    const ownValue = helper === 'map_update_elem' && map.type === PERCPU_ARRAY;
    return ownValue && !this.#looksAcross ? 'per-cpu' : 'shared';
  }
}

function writesValue({ kind, writes }: ProvenAccess): boolean {
  return kind === 'map-value' && writes;
}
