import { offsetIn, XDP_MD } from '../../abi/context.ts';
import { ATTENTION, REDIRECT } from '../../abi/control.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine, Redirect } from '../../abi/machine.ts';
import type { BpfMap, RedirectMap } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { Routines } from '../../abi/routines.ts';
import { callOf, type Expression, i32, Routine, type Variable } from '../../wasm/expression.ts';
import { TC, XDP, XDP_TC } from './program-types.ts';

/** linux/bpf.h */
const XDP_ABORTED = 0;
const XDP_REDIRECT = 4;
/** linux/pkt_cls.h */
const TC_ACT_SHOT = 2;
const TC_ACT_REDIRECT = 7;

const BPF_F_INGRESS = 1n;
/** Flags of bpf_redirect_map: the two low bits are the answer where the map has nothing at the key. */
const ANSWER = 3n;
const BPF_F_BROADCAST = 8n;
const BPF_F_EXCLUDE_INGRESS = 16n;

const REDIR_NEIGH_SIZE = 20;
const INGRESS_IFINDEX = offsetIn(XDP_MD, 'ingress_ifindex');
const DEVMAP = mapTypeId('devmap');
const DEVMAP_HASH = mapTypeId('devmap_hash');

const redirect = defineHelper({
  name: 'redirect',
  id: 23,
  prototype: { args: ['u32', 'u64'], returns: 'integer', programTypes: [...XDP_TC, 'lwt_xmit'] },
  run(machine, ifindex, flags) {
    const isXdp = machine.programType.name === 'xdp';
    if ((flags & ~(isXdp ? 0n : BPF_F_INGRESS)) !== 0n) return isXdp ? XDP_ABORTED : TC_ACT_SHOT;
    machine.redirect = toInterface('ifindex', ifindex, flags);
    return isXdp ? XDP_REDIRECT : TC_ACT_REDIRECT;
  },
  emit(routines, { machine, args: [ifindex, flags] }) {
    const isXdp = machine.programType.name === 'xdp';
    const index = routines.once('redirect', () => {
      const routine = new Routine(['i32', 'i64'], ['i32']);
      const [to, how] = routine.parameters as [Variable, Variable];
      routine.if(how.and(isXdp ? -1 : ~Number(BPF_F_INGRESS)).ne(0), () =>
        routine.return(isXdp ? XDP_ABORTED : TC_ACT_SHOT),
      );
      keepRedirect(routine, routines, { kind: REDIRECT.interface, target: to, flags: how });
      routine.return(isXdp ? XDP_REDIRECT : TC_ACT_REDIRECT);
      return routine;
    });
    return callOf(index, 'i32', ifindex!.narrow(), flags!).wide();
  },
});

const redirectNeigh = defineHelper({
  name: 'redirect_neigh',
  id: 152,
  prototype: { args: ['u32', 'mem?', 'size0', 'u64'], returns: 'integer', programTypes: TC },
  run(machine, ifindex, _params, size, flags) {
    if ((size !== 0 && size < REDIR_NEIGH_SIZE) || flags !== 0n) return TC_ACT_SHOT;
    machine.redirect = toInterface('neigh', ifindex, flags);
    return TC_ACT_REDIRECT;
  },
});

const redirectPeer = defineHelper({
  name: 'redirect_peer',
  id: 155,
  prototype: { args: ['u32', 'u64'], returns: 'integer', programTypes: TC },
  run(machine, ifindex, flags) {
    if (flags !== 0n) return TC_ACT_SHOT;
    machine.redirect = toInterface('peer', ifindex, flags);
    return TC_ACT_REDIRECT;
  },
});

function toInterface(kind: Redirect['kind'], ifindex: number, flags: bigint): Redirect {
  const direction = kind === 'peer' || (flags & BPF_F_INGRESS) !== 0n ? 'ingress' : 'egress';
  return { kind, ifindex, map: null, key: null, flags, direction };
}

const redirectMap = defineHelper({
  name: 'redirect_map',
  id: 51,
  prototype: { args: ['map', 'u64', 'u64'], returns: 'integer', programTypes: XDP },
  run(machine, map, wideKey, flags) {
    const isDevmap = map.spec.type === DEVMAP || map.spec.type === DEVMAP_HASH;
    if ((flags & ~(isDevmap ? ANSWER | BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : ANSWER)) !== 0n) return XDP_ABORTED;
    const targets = (flags & BPF_F_BROADCAST) === 0n ? undefined : everyTarget(machine, map, flags);
    const key = Number(wideKey & 0xffff_ffffn);
    const target = targets === undefined ? (map as RedirectMap).targetAt(key) : -1;
    if (target < 0 && targets === undefined) {
      machine.redirect = null;
      return Number(flags & ANSWER);
    }
    machine.redirect = {
      kind: 'map',
      ifindex: isDevmap && target >= 0 ? target : null,
      map: map.spec.name,
      key: targets === undefined ? key : null,
      flags,
      direction: 'egress',
      ...(targets === undefined ? {} : { targets }),
    };
    return XDP_REDIRECT;
  },
  emit(routines, { machine, map, args: [, key, flags] }) {
    const target = map?.routines?.target?.(routines);
    if (map === undefined || target === undefined) return undefined;
    const index = routines.once(`redirect ${map.handle}`, () => {
      const routine = new Routine(['i32', 'i64'], ['i32']);
      const [at, how] = routine.parameters as [Variable, Variable];
      const ask = routines.ask(
        `redirect otherwise ${map.handle}`,
        (first, second) => redirectMap.run!(machine, map, BigInt(first >>> 0), BigInt(second >>> 0)) as number,
      );
      // To every target, or not at all; no flag has more than 32 bits.
      routine.if(how.gt(0xffff_ffff), () => routine.return(XDP_ABORTED));
      routine.if(how.gt(Number(ANSWER)), () => routine.return(callOf(ask, 'i32', at, how.narrow())));
      const found = routine.call(target, 'i32', at);
      routine.if(found.eq(-1), () => {
        keepRedirect(routine, routines, { kind: REDIRECT.none });
        routine.return(how.narrow());
      });
      keepRedirect(routine, routines, { kind: REDIRECT.map, map: map.handle, key: at, target: found, flags: how });
      routine.return(XDP_REDIRECT);
      return routine;
    });
    return callOf(index, 'i32', key!.narrow(), flags!).wide();
  },
});

/** Leaves in the control block what the run asked for last. */
function keepRedirect(
  routine: Routine,
  routines: Routines,
  told: { kind: number; map?: number; key?: Expression; target?: Expression; flags?: Expression },
): void {
  const { kind, map, key, target, flags } = told;
  routine.store(routines.slot('redirectKind'), i32(kind));
  if (map !== undefined) routine.store(routines.slot('redirectMap'), i32(map));
  if (key !== undefined) routine.store(routines.slot('redirectKey'), key);
  if (target !== undefined) routine.store(routines.slot('redirectTarget'), target);
  if (flags !== undefined) routine.store(routines.slot('redirectFlags'), flags);
  routine.store(routines.slot('attention'), routines.slot('attention').load().or(ATTENTION.redirect));
}

function everyTarget(machine: Machine, map: BpfMap, flags: bigint): readonly number[] {
  const targets = (map as RedirectMap).targets();
  if ((flags & BPF_F_EXCLUDE_INGRESS) === 0n) return targets;
  const arrival = machine.memory.view.getUint32(machine.context + INGRESS_IFINDEX, true);
  return targets.filter((ifindex) => ifindex !== arrival);
}

export const redirectHelpers: readonly Helper[] = [redirect, redirectNeigh, redirectPeer, redirectMap];
