import { ERRNO } from '../../abi/errno.ts';
import { defineHelper, type Helper } from '../../abi/helper.ts';
import type { Machine } from '../../abi/machine.ts';
import type { RingBuffer } from '../../abi/map.ts';

/** BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP of linux/bpf.h: no one sleeps here, so that they change nothing. */
const WAKEUP_FLAGS = 3n;

/** Records that are reserved now, by address, and whose they are: submit and discard are not told the map. */
const reservedIn = new WeakMap<Machine, Map<number, RingBuffer>>();

const output = defineHelper({
  name: 'ringbuf_output',
  id: 130,
  prototype: { args: ['map', 'mem', 'size0', 'u64'], returns: 'integer', programTypes: 'all' },
  run({ memory }, map, data, size, flags) {
    if ((flags & ~WAKEUP_FLAGS) !== 0n) return -ERRNO.EINVAL;
    const ring = map as RingBuffer;
    const record = ring.reserve(size);
    if (record === 0) return -ERRNO.EAGAIN;
    memory.u8.copyWithin(record, data, data + size);
    ring.submit(record);
    return 0;
  },
});

const reserve = defineHelper({
  name: 'ringbuf_reserve',
  id: 131,
  prototype: { args: ['map', 'alloc-size', 'u64'], returns: 'record?', programTypes: 'all' },
  run(machine, map, size, flags) {
    return flags === 0n ? reserveRecord(machine, map as RingBuffer, size) : 0;
  },
});

/** Address of a record that is held until it is submitted or discarded; 0 where the ring has no room for it. */
export function reserveRecord(machine: Machine, ring: RingBuffer, size: number): number {
  const record = ring.reserve(size);
  if (record === 0) return 0;
  let reserved = reservedIn.get(machine);
  if (reserved === undefined) reservedIn.set(machine, (reserved = new Map()));
  reserved.set(record, ring);
  return record;
}

const submit = defineHelper({
  name: 'ringbuf_submit',
  id: 132,
  prototype: { args: ['record', 'u64'], returns: 'void', programTypes: 'all' },
  run(machine, record) {
    ringOf(machine, record)?.submit(record);
    return 0;
  },
});

const discard = defineHelper({
  name: 'ringbuf_discard',
  id: 133,
  prototype: { args: ['record', 'u64'], returns: 'void', programTypes: 'all' },
  run(machine, record) {
    ringOf(machine, record)?.discard(record);
    return 0;
  },
});

/** The ring that a record was reserved in; it is not reserved any more. */
export function ringOf(machine: Machine, record: number): RingBuffer | undefined {
  const reserved = reservedIn.get(machine);
  const ring = reserved?.get(record);
  reserved?.delete(record);
  return ring;
}

const query = defineHelper({
  name: 'ringbuf_query',
  id: 134,
  prototype: { args: ['map', 'u64'], returns: 'integer', programTypes: 'all' },
  run: (_machine, map, flags) => (map as RingBuffer).query(flags),
});

export const ringBufferHelpers: readonly Helper[] = [output, reserve, submit, discard, query];
