import type { Btf } from './btf/btf.ts';
import { type Elf, type ElfSymbol, SHN, STB } from './elf.ts';
import type { KconfigVariable } from './kconfig.ts';
import type { KernelSymbol } from './spec.ts';

/** What an object expects of the kernel: symbols that are undefined and that BTF places in `.kconfig` or `.ksyms`. */
export interface Externs {
  readonly kconfig: readonly KconfigVariable[];
  /** Index of the DATASEC `.kconfig`, null when there is none. */
  readonly kconfigId: number | null;
  readonly kernelSymbols: readonly KernelSymbol[];
  /** Index into `kernelSymbols` by name. */
  readonly kernelSymbolIndex: ReadonlyMap<string, number>;
}

/** In the order of BTF's sections. */
export function readExterns(elf: Elf, btf: Btf | null): Externs {
  const undefinedSymbols = new Map<string, ElfSymbol>();
  for (const symbol of elf.symbols) {
    if (symbol.section === SHN.undef && symbol.name !== '') undefinedSymbols.set(symbol.name, symbol);
  }
  const kconfig: KconfigVariable[] = [];
  const kernelSymbols: KernelSymbol[] = [];
  const kernelSymbolIndex = new Map<string, number>();
  const kconfigId = btf?.findByName('.kconfig', 'datasec') ?? null;
  for (const { id, name, weak } of externsOf(btf, kconfigId, undefinedSymbols)) {
    const variable = btf!.typeById(id);
    if (variable.kind === 'var') kconfig.push({ name, id, type: variable.type, weak });
  }
  for (const { id, name, weak } of externsOf(btf, btf?.findByName('.ksyms', 'datasec') ?? null, undefinedSymbols)) {
    kernelSymbolIndex.set(name, kernelSymbols.length);
    const kind = btf!.typeById(id).kind === 'func' ? 'kfunc' : 'variable';
    kernelSymbols.push({ name, kind, weak, btfId: id });
  }
  return { kconfig, kconfigId, kernelSymbols, kernelSymbolIndex };
}

function* externsOf(btf: Btf | null, datasec: number | null, symbols: ReadonlyMap<string, ElfSymbol>) {
  const section = datasec === null ? undefined : btf?.typeById(datasec);
  if (section?.kind !== 'datasec') return;
  const seen = new Set<string>();
  for (const { type: id } of section.variables) {
    const { name } = btf!.typeById(id);
    const symbol = symbols.get(name);
    if (symbol === undefined || seen.has(name)) continue;
    seen.add(name);
    yield { id, name, weak: symbol.binding === STB.weak };
  }
}
