import { type Btf, type BtfType, essentialName } from './btf.ts';
import { resolve } from './types.ts';

/**
 * When CO-RE takes a type of the target for one of the object (libbpf's documented behaviour of
 * `bpf_core_field_exists`, `bpf_core_type_exists` and `bpf_core_type_matches`).
 */

type Enumeration = Extract<BtfType, { kind: 'enum' | 'enum64' }>;

export function isAnyEnum(type: BtfType): type is Enumeration {
  return type.kind === 'enum' || type.kind === 'enum64';
}

export function areKindsCompatible(a: BtfType, b: BtfType): boolean {
  return a.kind === b.kind || (isAnyEnum(a) && isAnyEnum(b));
}

const sameName = (a: string, b: string) => essentialName(a) === essentialName(b);

/** How deep pointers, arrays and prototypes are compared, and how many pairs of types in all. */
const MAX_LEVEL = 32;
const MAX_PAIRS = 100_000;

/**
 * May a field be read as the other? Structs, pointers and numbers may always, arrays as their elements, an enum where
 * the names agree or one has none.
 */
export function areFieldsCompatible(localBtf: Btf, localId: number, targetBtf: Btf, targetId: number): boolean {
  const local = localBtf.typeById(resolve(localBtf, localId));
  const target = targetBtf.typeById(resolve(targetBtf, targetId));
  if (isComposite(local) && isComposite(target)) return true;
  if (!areKindsCompatible(local, target)) return false;
  switch (local.kind) {
    case 'ptr':
    case 'float':
      return true;
    case 'fwd':
    case 'enum':
    case 'enum64':
      return local.name === '' || target.name === '' || sameName(local.name, target.name);
    case 'int':
      return local.offset === 0 && (target as typeof local).offset === 0;
    case 'array':
      return areFieldsCompatible(localBtf, local.type, targetBtf, (target as typeof local).type);
    default:
      return false;
  }
}

const isComposite = (type: BtfType) => type.kind === 'struct' || type.kind === 'union';

/** For `type_exists`, `type_size` and `type_id_target`: the kind agrees, all the way behind pointers. */
export function areTypesCompatible(
  localBtf: Btf,
  localId: number,
  targetBtf: Btf,
  targetId: number,
  level = MAX_LEVEL,
): boolean {
  const comparison = new Comparison(localBtf, targetBtf);
  const root = areKindsCompatible(localBtf.typeById(localId), targetBtf.typeById(targetId));
  return root && comparison.compatible(localId, targetId, level);
}

/** For `type_matches`: each member of the object's type is in the target's, with a type that matches in turn. */
export function doTypesMatch(localBtf: Btf, localId: number, targetBtf: Btf, targetId: number): boolean {
  return new Comparison(localBtf, targetBtf).matches(localId, targetId, false, MAX_LEVEL);
}

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  /** Pairs of types compared before: prototypes of prototypes lead to the same ones on many ways. */
  readonly #known = new Map<string, boolean>();
  #pairs = 0;

  constructor(local: Btf, target: Btf) {
    this.#local = local;
    this.#target = target;
  }

  compatible(localId: number, targetId: number, level: number): boolean {
    return this.#compare(localId, targetId, '', level, (local, target) => this.#areCompatible(local, target, level));
  }

  matches(localId: number, targetId: number, behindPointer: boolean, level: number): boolean {
    const way = behindPointer ? '*' : '';
    return this.#compare(localId, targetId, way, level, (local, target) =>
      this.#doMatch(local, target, behindPointer, level),
    );
  }

  #compare(
    localId: number,
    targetId: number,
    way: string,
    level: number,
    compare: (local: BtfType, target: BtfType) => boolean,
  ): boolean {
    const localResolved = resolve(this.#local, localId);
    const targetResolved = resolve(this.#target, targetId);
    const key = `${localResolved} ${way}${targetResolved}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (level <= 0 || ++this.#pairs > MAX_PAIRS) return false;
    const result = compare(this.#local.typeById(localResolved), this.#target.typeById(targetResolved));
    this.#known.set(key, result);
    return result;
  }

  #areCompatible(local: BtfType, target: BtfType, level: number): boolean {
    if (!areKindsCompatible(local, target)) return false;
    switch (local.kind) {
      case 'void':
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64':
      case 'fwd':
        return true;
      case 'int':
        return local.offset === 0 && (target as typeof local).offset === 0;
      case 'ptr':
      case 'array':
        return this.compatible(local.type, (target as typeof local).type, level - 1);
      case 'func_proto': {
        const other = target as typeof local;
        return (
          local.params.length === other.params.length &&
          local.params.every((param, i) => this.compatible(param.type, other.params[i]!.type, level - 1)) &&
          this.compatible(local.type, other.type, level - 1)
        );
      }
      default:
        return false;
    }
  }

  #doMatch(local: BtfType, target: BtfType, behindPointer: boolean, level: number): boolean {
    if (!sameName(local.name, target.name)) return false;
    switch (local.kind) {
      case 'void':
        return target.kind === 'void';
      case 'fwd':
        return target.kind === 'fwd' ? target.of === local.of : target.kind === local.of;
      case 'enum':
      case 'enum64':
        return isAnyEnum(target) && enumsMatch(local, target);
      case 'struct':
      case 'union': {
        if (behindPointer && target.kind === 'fwd') return target.of === local.kind;
        if (local.kind !== target.kind) return false;
        if (behindPointer) return true;
        const other = target as typeof local;
        if (local.members.length > other.members.length) return false;
        const peers = Map.groupBy(other.members, (peer) => essentialName(peer.name));
        return local.members.every((member) =>
          peers.get(essentialName(member.name))?.some((peer) => this.matches(member.type, peer.type, false, level - 1)),
        );
      }
      case 'int':
        return target.kind === 'int' && local.size === target.size && local.signed === target.signed;
      case 'ptr':
        return target.kind === 'ptr' && this.matches(local.type, target.type, true, level - 1);
      case 'array':
        return (
          target.kind === 'array' &&
          local.nelems === target.nelems &&
          this.matches(local.type, target.type, behindPointer, level - 1)
        );
      case 'func_proto':
        return (
          target.kind === 'func_proto' &&
          local.params.length === target.params.length &&
          local.params.every((param, i) =>
            this.matches(param.type, target.params[i]!.type, behindPointer, level - 1),
          ) &&
          this.matches(local.type, target.type, behindPointer, level - 1)
        );
      default:
        return false;
    }
  }
}

/** Of the same size, and each of the object's names is in the target; its value may be another. */
function enumsMatch(local: Enumeration, target: Enumeration): boolean {
  if (local.size !== target.size || local.values.length > target.values.length) return false;
  const names = new Set(target.values.map((value) => essentialName(value.name)));
  return local.values.every((value) => names.has(essentialName(value.name)));
}
