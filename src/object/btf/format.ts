import type { Btf, BtfParameter, BtfSectionVariable, BtfType } from './btf.ts';

/** Characters after which a declaration is cut: types refer to one another freely, and C spells each of them out. */
const LONGEST = 16_384;
/** Nested deeper than this, C is not read any more. */
const DEEPEST = 64;
const CUT = '…';

/**
 * A type as C declares it, on one line: `struct flow { __be32 saddr; __be16 ports[2]; }`, `typedef __u32 __be32`,
 * `int filter(struct xdp_md *ctx)`. Named types inside of it are only named, anonymous ones spelled out.
 */
export function formatType(btf: Btf, id: number): string {
  const printer = new Printer(btf);
  const type = btf.typeById(id);
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
      return printer.body(type);
    case 'typedef':
      return `typedef ${printer.declare(type.type, type.name)}`;
    case 'func':
    case 'var': {
      const storage = type.linkage === 'global' ? '' : `${type.linkage} `;
      return storage + printer.declare(type.type, type.name);
    }
    case 'datasec':
      return `section ${type.name} { ${printer.variables(type.variables)}}`;
    case 'decl_tag':
      return `__attribute__((btf_decl_tag("${type.name}")))`;
    default:
      return printer.declare(id, '');
  }
}

const KEYWORDS: Partial<Record<BtfType['kind'], string>> = {
  struct: 'struct',
  union: 'union',
  enum: 'enum',
  enum64: 'enum',
};

class Printer {
  readonly #btf: Btf;
  #left = LONGEST;
  #depth = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** C declares a name inside out: `inner` is what has been wound around the name so far. */
  declare(id: number, inner: string): string {
    if (this.#left <= 0 || this.#depth >= DEEPEST) return CUT;
    this.#depth++;
    const text = this.#declare(this.#btf.typeById(id), inner);
    this.#depth--;
    return text;
  }

  #declare(type: BtfType, inner: string): string {
    this.#left -= type.name.length + 4;
    const named = (base: string) => (inner === '' ? base : `${base} ${inner}`);
    switch (type.kind) {
      case 'void':
        return named('void');
      case 'struct':
      case 'union':
      case 'enum':
      case 'enum64':
        return named(type.name === '' ? this.body(type) : `${KEYWORDS[type.kind]} ${type.name}`);
      case 'fwd':
        return named(`${type.of} ${type.name}`);
      case 'ptr': {
        const pointee = this.#unqualified(type.type).kind;
        const wrapped = pointee === 'array' || pointee === 'func_proto';
        return this.declare(type.type, wrapped ? `(*${inner})` : `*${inner}`);
      }
      case 'array':
        return this.declare(type.type, `${inner}[${type.nelems === 0 ? '' : type.nelems}]`);
      case 'func_proto':
        return this.declare(type.type, `${inner}(${this.#parameters(type.params)})`);
      case 'const':
      case 'volatile':
      case 'restrict': {
        const ofPointer = this.#unqualified(type.type).kind === 'ptr';
        if (ofPointer) return this.declare(type.type, inner === '' ? type.kind : `${type.kind} ${inner}`);
        return `${type.kind} ${this.declare(type.type, inner)}`;
      }
      case 'type_tag':
        return this.declare(type.type, inner);
      case 'var':
      case 'func':
        return this.declare(type.type, type.name);
      default:
        return named(type.name);
    }
  }

  body(type: Extract<BtfType, { kind: 'struct' | 'union' | 'enum' | 'enum64' }>): string {
    const head = `${KEYWORDS[type.kind]} ${type.name === '' ? '' : `${type.name} `}`;
    if (type.kind === 'enum' || type.kind === 'enum64') {
      return `${head}{ ${this.#list(type.values, (value) => `${value.name} = ${value.value}`).join(', ')} }`;
    }
    const members = this.#list(type.members, (member) => {
      const bits = member.bitfieldSize === 0 ? '' : ` : ${member.bitfieldSize}`;
      return `${this.declare(member.type, member.name)}${bits}; `;
    });
    return `${head}{ ${members.join('')}}`;
  }

  variables(variables: readonly BtfSectionVariable[]): string {
    return this.#list(variables, ({ type }) => `${this.declare(type, '')}; `).join('');
  }

  #parameters(params: readonly BtfParameter[]): string {
    if (params.length === 0) return 'void';
    return this.#list(params, (param, index) => {
      const variadic = param.type === 0 && param.name === '' && index === params.length - 1;
      return variadic ? '...' : this.declare(param.type, param.name);
    }).join(', ');
  }

  #list<T>(items: readonly T[], format: (item: T, index: number) => string): string[] {
    const texts: string[] = [];
    for (const [index, item] of items.entries()) {
      if (this.#left <= 0) return [...texts, CUT];
      const text = format(item, index);
      this.#left -= text.length;
      texts.push(text);
    }
    return texts;
  }

  /** Below qualifiers and tags; a typedef stays, for it has a name. */
  #unqualified(id: number): BtfType {
    let type = this.#btf.typeById(id);
    while (type.kind === 'const' || type.kind === 'volatile' || type.kind === 'restrict' || type.kind === 'type_tag') {
      type = this.#btf.typeById(type.type);
    }
    return type;
  }
}
