import { type Command, Option } from 'commander';
import { type MapSpec, mapTypeName, type ObjectSpec, readObjectFile } from '../index.ts';
import { type ObjectOptions, withObject } from './object.ts';
import { print } from './output.ts';
import { plural, table } from './table.ts';

export function addInspect(program: Command): void {
  withObject(
    program.command('inspect').description('tell what an object holds: programs, maps, functions, types, relocations'),
  )
    .addOption(new Option('--format <format>', 'what to print').choices(['table', 'json']).default('table'))
    .action((path: string, options: ObjectOptions & { format: 'table' | 'json' }) => {
      const summary = summarize(path, readObjectFile({ object: path, btf: options.btf }));
      print(options.format === 'json' ? JSON.stringify(summary, null, 2) : text(summary));
    });
}

type Summary = ReturnType<typeof summarize>;

function summarize(file: string, object: ObjectSpec) {
  return {
    file,
    license: object.license,
    programs: object.programs.map((spec) => ({
      name: spec.name,
      section: spec.section,
      type: spec.type,
      attachType: spec.attachType,
      instructions: spec.instructions.length / 8,
      frags: spec.frags,
      sleepable: spec.sleepable,
      autoload: spec.autoload,
      subprograms: spec.functions.slice(1).map(({ name, start, length, linkage, section }) => ({
        name,
        start,
        instructions: length,
        linkage,
        section,
      })),
      sourceLines: spec.lines.length,
    })),
    maps: object.maps.map((map) => mapSummary(map, object)),
    kernelSymbols: object.kernelSymbols.map(({ name, kind, weak }) => ({ name, kind, weak })),
    btf: object.btf === null ? null : { types: object.btf.types.length - 1, structs: structNames(object) },
    relocations: object.relocations,
  };
}

function mapSummary(map: MapSpec, object: ObjectSpec): Record<string, unknown> {
  return {
    name: map.name,
    type: mapTypeName(map.type),
    keySize: map.keySize,
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: map.flags,
    pinning: map.pinning === 0 ? null : 'by-name',
    section: map.section,
    inner: map.inner === null ? null : mapSummary(map.inner, object),
    values: map.values.map(({ index, target }) => ({
      index,
      value: target.type === 'program' ? `program:${target.name}` : `map:${object.maps[target.map]?.name}`,
    })),
  };
}

function structNames({ btf }: ObjectSpec): string[] {
  return [...(btf?.types ?? [])].flatMap((type) =>
    (type.kind === 'struct' || type.kind === 'union') && type.name !== '' ? [`${type.kind} ${type.name}`] : [],
  );
}

function text(summary: Summary): string {
  const { programs, maps, btf, relocations, kernelSymbols } = summary;
  const parts = [`${summary.file}: licence ${summary.license === '' ? 'none' : `"${summary.license}"`}`];
  parts.push(
    table([
      ['program', 'section', 'type', 'instructions', 'subprograms'],
      ...programs.map((each) => [each.name, each.section, each.type ?? '?', each.instructions, each.subprograms.map(({ name, linkage }) => `${name} (${linkage})`).join(', ')]), // biome-ignore format: a row
    ]),
  );
  if (maps.length > 0) {
    parts.push(
      table([
        ['map', 'type', 'key', 'value', 'entries', 'flags', 'section'],
        ...maps.map((map) => [map.name, map.type, map.keySize, map.valueSize, map.maxEntries, `0x${Number(map.flags).toString(16)}`, map.section] as (string | number)[]), // biome-ignore format: a row
      ]),
    );
  }
  if (kernelSymbols.length > 0) {
    parts.push(
      `kernel symbols: ${kernelSymbols.map(({ name, kind, weak }) => `${name} (${weak ? 'weak ' : ''}${kind})`).join(', ')}`,
    );
  }
  parts.push(
    btf === null ? 'no BTF' : `BTF: ${plural(btf.types, 'type')}, ${btf.structs.length} named structs and unions`,
  );
  if (relocations.length > 0) {
    parts.push(
      table([
        ['relocation', 'section', 'offset', 'symbol', 'resolved'],
        ...relocations.map((each) => [each.type, each.section, each.offset, each.symbol, each.resolved]),
      ]),
    );
  }
  return parts.join('\n\n');
}
