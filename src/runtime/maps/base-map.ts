import { ERRNO } from '../../abi/errno.ts';
import type { BpfMap, MapEntry, MapHost, MapType } from '../../abi/map.ts';
import type { Memory } from '../../abi/memory.ts';
import type { MapSpec } from '../../object/spec.ts';
import { BPF_F_RDONLY } from './flags.ts';

type Values = Uint8Array | readonly Uint8Array[];

/**
 * What all maps do alike: the user's operations check the sizes, put the key into the linear memory and go on there.
 * An operation that the type does not have answers as Linux does for it, −ENOTSUPP from bpf(2) and −EOPNOTSUPP to a
 * program, which the verifier keeps from calling it.
 */
export abstract class BaseMap implements BpfMap {
  readonly type: MapType;
  readonly spec: MapSpec;
  readonly handle: number;
  protected readonly host: MapHost;
  protected readonly memory: Memory;
  /** Room for one key that no program holds. */
  protected readonly staging: number;

  constructor(type: MapType, spec: MapSpec, host: MapHost, staging: number) {
    this.type = type;
    this.spec = spec;
    this.handle = host.handle;
    this.host = host;
    this.memory = host.memory;
    this.staging = staging;
  }

  lookup(_key: number): number {
    return 0;
  }

  update(_key: number, _value: number, _flags: bigint): number {
    return -ERRNO.EOPNOTSUPP;
  }

  delete(_key: number): number {
    return -ERRNO.EOPNOTSUPP;
  }

  userLookup(key: Uint8Array): Values | undefined {
    return key.length === this.spec.keySize ? this.read(this.#stage(key)) : undefined;
  }

  userUpdate(key: Uint8Array, value: Values, flags: bigint): number {
    if ((this.spec.flags & BPF_F_RDONLY) !== 0) return -ERRNO.EPERM;
    if (key.length !== this.spec.keySize) return -ERRNO.EINVAL;
    return this.write(this.#stage(key), value, flags);
  }

  userDelete(key: Uint8Array): number {
    if ((this.spec.flags & BPF_F_RDONLY) !== 0) return -ERRNO.EPERM;
    if (key.length !== this.spec.keySize) return -ERRNO.EINVAL;
    return this.erase(this.#stage(key));
  }

  abstract entries(): Iterable<MapEntry>;
  abstract clear(): void;

  /** The user's operations, the key being in memory. */
  protected abstract read(key: number): Values | undefined;
  protected abstract write(key: number, value: Values, flags: bigint): number;
  protected erase(key: number): number {
    return this.delete(key);
  }

  #stage(key: Uint8Array): number {
    this.memory.u8.set(key, this.staging);
    return this.staging;
  }
}
