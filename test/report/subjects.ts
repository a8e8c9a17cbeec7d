import { assembleObject, type ObjectSpec, type ProgramSpec } from '../../src/index.ts';

/** Mistakes that a C compiler makes impossible or hides, in assembly. */
const ASSEMBLY: Readonly<Record<string, string>> = {
  uninitialised_register: `
    r2 = *(u32 *)(r1 + 12)
    if r2 == 0 goto end
    r0 = 1
    end: exit`,
  register_lost_to_a_call: `
    r6 = *(u32 *)(r1 + 12)
    call bpf_ktime_get_ns
    r0 = *(u32 *)(r1 + 16)
    exit`,
  pointer_multiplied: `
    r2 = r10
    r2 *= 2
    r0 = 0
    exit`,
  pointer_by_any_number: `
    r2 = *(u32 *)(r1 + 0)
    call bpf_ktime_get_ns
    r3 = r10
    r3 += r0
    r0 = 0
    exit`,
  misaligned_stack: `
    r2 = 0
    *(u64 *)(r10 - 12) = r2
    r0 = 0
    exit`,
  large_frame: `
    r2 = 0
    *(u64 *)(r10 - 640) = r2
    r0 = 0
    exit`,
  pointer_read_in_part: `
    *(u64 *)(r10 - 8) = r1
    r2 = *(u32 *)(r10 - 8)
    r0 = 0
    exit`,
  pointer_overwritten_in_part: `
    *(u64 *)(r10 - 8) = r1
    *(u8 *)(r10 - 5) = 1
    r1 = *(u64 *)(r10 - 8)
    r0 = *(u32 *)(r1 + 12)
    exit`,
  size_without_bound: `
    r2 = *(u32 *)(r1 + 12)
    r1 = r10
    r1 += -16
    r3 = 0
    r4 = 0
    r5 = 0
    call bpf_csum_diff
    r0 = 0
    exit`,
  argument_beyond_the_stack: `
    r1 = r10
    r1 += -16
    r2 = 32
    r3 = 0
    r4 = 0
    r5 = 0
    call bpf_csum_diff
    r0 = 0
    exit`,
  spilled_and_passed: `
    r1 = *(u32 *)(r1 + 0)
    *(u64 *)(r10 - 8) = r1
    r0 = 0
    r2 = *(u64 *)(r10 - 8)
    r1 = r2
    call first_byte
    exit
    first_byte: r0 = *(u8 *)(r1 + 0)
    exit`,
  function_without_result: `
    call nothing
    exit
    nothing: r1 = 0
    exit`,
  unreachable_code: `
    r0 = 2
    goto end
    r0 = 1
    end: exit`,
  index_in_a_loop: `
    r6 = r10
    r6 += -64
    r7 = 0
    again: r8 = r6
    r8 += r7
    *(u8 *)(r8 + 0) = 1
    r7 += 1
    if r7 != 70 goto again
    r0 = 0
    exit`,
};

interface Subject {
  readonly name: string;
  readonly object: ObjectSpec;
  readonly spec: ProgramSpec;
}

export function assemblySubjects(): Subject[] {
  return Object.entries(ASSEMBLY).map(([name, text]) => {
    const object = assembleObject(text, { type: 'xdp', name });
    return { name, object, spec: object.programs[0]! };
  });
}
