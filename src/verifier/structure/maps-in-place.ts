import type { Refusal } from '../../abi/verdict.ts';
import type { Program } from '../../program/program.ts';
import { refuse } from '../refuse.ts';
import { specialFields } from '../regions/special-fields.ts';

/** Linux lets no socket filter use a map whose values have a spin lock. */
export function mapOutOfPlace(program: Program): Refusal | undefined {
  if (program.type !== 'socket_filter') return undefined;
  for (const instruction of program.instructions) {
    if (instruction?.kind !== 'imm64' || !('map' in instruction.value)) continue;
    const map = program.maps[instruction.value.map];
    if (map === undefined || !specialFields(program.btf, map).some((field) => field.type === 'bpf_spin_lock')) continue;
    const message = `map ${map.name} has values with a spin lock, which socket filters cannot use`;
    return refuse(program, 'map-mismatch', null, message);
  }
  return undefined;
}
