import type { Machine } from '../../abi/machine.ts';
import type { BpfMap, ProgramArray } from '../../abi/map.ts';
import { ENDINGS } from './limits.ts';

const BPF_MAP_TYPE_PROG_ARRAY = 3;

/** The PROG_ARRAY that r2 of bpf_tail_call stands for; Linux's verifier lets nothing else through. */
export function programArray(machine: Machine, handle: number, pc: number): ProgramArray {
  const map: BpfMap | undefined = machine.mapAt(handle);
  if (map?.spec.type !== BPF_MAP_TYPE_PROG_ARRAY) throw ENDINGS.noProgramArray(pc);
  return map as ProgramArray;
}
