import { ERRNO } from '../../abi/errno.ts';
import type { MapEntry, MapHost, MapType } from '../../abi/map.ts';
import { mapTypeId } from '../../abi/map-types.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BaseMap } from './base-map.ts';
import { copyBytes, zeroBytes } from './bytes.ts';
import { BPF_EXIST, BPF_F_NUMA_NODE, BPF_NOEXIST, updateMode, wantsLock } from './flags.ts';
import { Layout, strideOf } from './layout.ts';
import { ACCESS_FLAGS, checkEntries, checkFlags, checkKeySize, firstRefusal, KMALLOC_MAX } from './rules.ts';

export const queue: MapType = {
  name: 'queue',
  id: mapTypeId('queue'),
  perCpu: false,
  threads: 'locked',
  helpers: new Set(['map_push_elem', 'map_pop_elem', 'map_peek_elem']),
  check,
  bytes: (spec) => plan(spec, 0).end,
  create: (spec, host) => new QueueStack(queue, spec, host),
};

export const stack: MapType = {
  ...queue,
  name: 'stack',
  id: mapTypeId('stack'),
  create: (spec, host) => new QueueStack(stack, spec, host),
};

function check(spec: MapSpec): string | undefined {
  return firstRefusal(
    checkEntries(spec),
    checkKeySize(spec, 0),
    (spec.valueSize === 0 || spec.valueSize > KMALLOC_MAX) &&
      `value_size is ${spec.valueSize} and must be 1 to ${KMALLOC_MAX}`,
    checkFlags(spec, BPF_F_NUMA_NODE | ACCESS_FLAGS),
  );
}

/** A ring of values, which programs reach by copies only; words [oldest, count]. */
function plan(spec: MapSpec, start: number) {
  const layout = new Layout(start);
  const state = layout.words(2);
  const values = layout.area(spec.maxEntries * strideOf(spec.valueSize));
  return { state, values, staging: state, end: layout.end };
}

/** For the user: the empty key peeks, updating pushes, deleting is refused; to pop is the program's. */
class QueueStack extends BaseMap {
  readonly #state: number;
  readonly #values: number;

  constructor(type: MapType, spec: MapSpec, host: MapHost) {
    const areas = plan(spec, host.start);
    super(type, spec, host, areas.staging);
    this.#state = areas.state >>> 2;
    this.#values = areas.values;
  }

  push(value: number, flags: bigint): number {
    const at = this.#room(flags);
    if (at < 0) return at;
    copyBytes(this.memory, value, at, this.spec.valueSize);
    return 0;
  }

  pop(value: number): number {
    const { u32 } = this.memory;
    const error = this.peek(value);
    if (error !== 0) return error;
    if (this.type === queue) u32[this.#state] = (u32[this.#state]! + 1) % this.spec.maxEntries;
    u32[this.#state + 1] = u32[this.#state + 1]! - 1;
    return 0;
  }

  peek(value: number): number {
    if (this.#count === 0) {
      zeroBytes(this.memory, value, this.spec.valueSize);
      return -ERRNO.ENOENT;
    }
    copyBytes(this.memory, this.#at(0), value, this.spec.valueSize);
    return 0;
  }

  protected override read(): Uint8Array | undefined {
    return this.#count === 0 ? undefined : this.#copy(0);
  }

  protected override write(_key: number, value: Uint8Array | readonly Uint8Array[], flags: bigint): number {
    if (!(value instanceof Uint8Array) || value.length !== this.spec.valueSize) return -ERRNO.EINVAL;
    const at = this.#room(flags);
    if (at < 0) return at;
    this.memory.u8.set(value, at);
    return 0;
  }

  protected override erase(): number {
    return -ERRNO.EINVAL;
  }

  *entries(): Generator<MapEntry> {
    for (let turn = 0; turn < this.#count; turn++) yield { key: new Uint8Array(0), value: this.#copy(turn) };
  }

  clear(): void {
    this.memory.u32.fill(0, this.#state, this.#state + 2);
  }

  get #count(): number {
    return this.memory.u32[this.#state + 1]!;
  }

  /** Address of the value that is popped after `turn` others. */
  #at(turn: number): number {
    const oldest = this.memory.u32[this.#state]!;
    const index = this.type === queue ? oldest + turn : oldest + this.#count - 1 - turn;
    return this.#values + (index % this.spec.maxEntries) * strideOf(this.spec.valueSize);
  }

  /** Where the next value goes; with BPF_EXIST a full queue or stack forgets its oldest. */
  #room(flags: bigint): number {
    const { u32 } = this.memory;
    const mode = updateMode(flags);
    if (mode < 0 || mode === BPF_NOEXIST || wantsLock(flags)) return -ERRNO.EINVAL;
    const count = this.#count;
    const oldest = u32[this.#state]!;
    if (count === this.spec.maxEntries) {
      if (mode !== BPF_EXIST) return -ERRNO.E2BIG;
      u32[this.#state] = (oldest + 1) % this.spec.maxEntries;
    } else {
      u32[this.#state + 1] = count + 1;
    }
    return this.#values + ((oldest + count) % this.spec.maxEntries) * strideOf(this.spec.valueSize);
  }

  #copy(turn: number): Uint8Array {
    return this.memory.u8.slice(this.#at(turn), this.#at(turn) + this.spec.valueSize);
  }
}
